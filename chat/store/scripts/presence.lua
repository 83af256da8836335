-- Shared by the presence scripts: what others see of a user, and telling them.

-- Recompute a user's best status from the sessions; the change as JSON, or nil where there is none.
-- 0 online, 1 offline, 2 busy. A session's value is its status, one digit, and its device.
-- `best`: '0' where one of them is known to be online.
local function settle(online, statuses, sessions, id, name, best)
  if best ~= '0' then
    best = '1'
    for _, value in ipairs(redis.call('HVALS', sessions)) do
      best = string.sub(value, 1, 1)
      if best == '0' then break end
    end
  end
  local old = redis.call('HGET', statuses, id)
  if best == '1' then
    if not old then return nil end
    name = string.sub(old, 3)
    redis.call('HDEL', statuses, id)
    redis.call('ZREM', online, id)
  else
    name = name or (old and string.sub(old, 3)) or ''
    local new = best .. ':' .. name
    if new == old then return nil end
    redis.call('HSET', statuses, id, new)
    if not old then redis.call('ZADD', online, id, id) end
  end
  return '[' .. id .. ',' .. best .. ',' .. cjson.encode(name) .. ']'
end

local function tell(channel, changes)
  if #changes > 0 then
    redis.call('PUBLISH', channel, '[' .. table.concat(changes, ',') .. ']')
  end
end

-- A lease that is 0 is ended: its sessions are being cleaned up, its owner can't renew it.
local function held(nodes, node)
  local lease = redis.call('ZSCORE', nodes, node)
  return lease and tonumber(lease) > 0
end

-- A session is here, in place of another one of the same user where there was one: 1 done, 0 the
-- node's lease has ended. What it is given is said in `presence_enter`.
local function enter(keys, args)
  if not held(keys[3], args[3]) then return 0 end
  if args[9] ~= '' then
    redis.call('HDEL', keys[5], args[3] .. '/' .. args[9])
    redis.call('SREM', keys[4], args[1] .. '/' .. args[9])
  end
  redis.call('HSET', keys[5], args[3] .. '/' .. args[4], args[5] .. args[6])
  redis.call('SADD', keys[4], args[1] .. '/' .. args[4])
  -- Nothing is better than a session that is online.
  tell(args[7], { settle(keys[1], keys[2], keys[5], args[1], args[2], args[5]) })
  return 1
end
