-- Shared by the scripts that change who is in a room, and as what.

local function role_of(member)
  return member and string.match(member, '^%a+') or ''
end

-- What somebody may do in a room, as a number: nobody acts on others of the same or a higher one.
-- 4 whoever runs the server, 3 administrators, 2 owners, 1 moderators, 0 everybody else.
local function rank_of(uid, member, account)
  if uid == '0' then return 4 end
  if redis.call('HGET', account, 'admin') == '1' then return 3 end
  local role = role_of(member)
  return role == 'owner' and 2 or role == 'moderator' and 1 or 0
end

local function with_role(member, role)
  return role .. string.sub(member, string.find(member, ':', 1, true), -1)
end

-- See to it that a room has an owner: of its moderators, else of its members, whoever has been
-- there the longest. An entry says so.
local function ensure_owner(c, members)
  local all, heir, best = redis.call('HGETALL', members), nil, nil
  for i = 1, #all, 2 do
    local role, joined = string.match(all[i + 1], '^(%a+):(%d+)')
    if role == 'owner' then return end
    local place = (role == 'moderator' and 0 or 2 ^ 52) + tonumber(joined)
    if not best or place < best then heir, best = i, place end
  end
  if not heir then return end
  local uid, name = all[heir], cjson.encode(string.match(all[heir + 1], '^%a+:%d+:(.*)$'))
  local middle = '"kind":"role","userId":' .. uid .. ',"userName":' .. name
    .. ',"content":"owner","target":' .. uid .. ',"targetName":' .. name
  append(c, struct.pack('>I8I4I8BI4', 0, 0, tonumber(uid), 0, #middle) .. middle)
  redis.call('HSET', members, uid, with_role(all[heir + 1], 'owner'))
end

-- Take a member out of a room. One that nobody is in is no longer listed, and its log stays.
local function remove(c, members, uid, listed, name)
  local member = redis.call('HGET', members, uid)
  redis.call('HDEL', members, uid)
  -- Who goes and comes again waits as long as who stays.
  local slow = c.rules and tonumber(string.match(c.rules, '^%d+')) or 0
  local wrote = tonumber(redis.call('HGET', c.meta, 's' .. uid) or 0)
  if wrote + slow <= now() then redis.call('HDEL', c.meta, 's' .. uid) end
  if redis.call('HLEN', members) == 0 then
    redis.call('ZREM', listed, name)
  elseif role_of(member) == 'owner' then
    ensure_owner(c, members)
  end
end

-- Who did what to whom, for the administrators; the oldest of very many are forgotten. What
-- administrators did has a stream of its own, which no owner of a room can fill up.
local function audit(theirs, others, rank, by, name, action, cid, target, seconds, reason)
  redis.call('XADD', rank >= 3 and theirs or others, 'MAXLEN', '~', 100000, '*', 'by', by, 'name', name, 'action', action,
    'conversation', cid, 'target', target, 'seconds', seconds, 'reason', reason)
end
