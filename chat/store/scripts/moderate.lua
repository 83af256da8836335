-- needs: log conversation rules belonging
-- Do something to a room, or to somebody in it, as its owner, a moderator or an administrator.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 the actor's account  6 the list of public rooms
--        7 audit of administrators; of the target, or the actor where there is none: 8 account  9 conversations
--        10 those whom they blocked  11 invitations  12 audit of what was done in rooms
-- ARGV   1 action  2 the actor's id, 0 for whoever runs the server  3 the target's id or ''
--        4 the target's name  5 seconds, 0 for no end  6 reason  7 conversation id  8 the actor's
--        name  9 record, or '' when no entry tells of it  10 channel  11 the target's channel
--        12 what the target's sessions are told when they are taken out, or invited
-- Result 200, 403 not allowed, 404 no such room, 410 the target is no member, or there is nothing to
--        take back, or is a member already
local LISTED = 200 -- invitations of one user, as many as rooms that one may be in
local action, actor, target, cid = ARGV[1], ARGV[2], ARGV[3], ARGV[7]
local at = now()
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0', at)
if not c then return 404 end
local is_lobby = cid == 'r:lobby'
local mine = redis.call('HGET', KEYS[4], actor)
local theirs = target ~= '' and redis.call('HGET', KEYS[4], target)
local present = theirs or is_lobby
local slow, closed, floor = string.match(c.rules or '0:0:0', '^(%d+):(%d):(%d+)')

local rank = rank_of(actor, mine, KEYS[5])
if not mine and rank < 3 and not is_lobby then return -shut(c) end

local function has(field)
  return redis.call('HEXISTS', c.meta, field .. target) == 1
end

-- Write what was set for the target: until when, since when, by whom.
local function set(field)
  local seconds = tonumber(ARGV[5])
  local over = seconds > 0 and at + seconds * 1000 or 0
  redis.call('HSET', c.meta, field .. target,
    string.format('%.0f:%.0f:%s:%s', over, at, actor, ARGV[4]))
end

local function drop(field)
  redis.call('HDEL', c.meta, field .. target)
end

local function rule(new_slow, new_closed, new_floor)
  redis.call('HSET', c.meta, 'rules', new_slow .. ':' .. new_closed .. ':' .. new_floor)
end

local taken_out = false

local function take_out()
  remove(c, KEYS[4], target, KEYS[6], string.sub(cid, 3))
  redis.call('ZREM', KEYS[9], cid)
  taken_out = true
end

local function uninvite()
  drop('i')
  redis.call('HDEL', KEYS[11], cid)
end

local function give_role(role)
  if is_lobby and role == 'member' then
    redis.call('HDEL', KEYS[4], target)
  else
    redis.call('HSET', KEYS[4], target, with_role(theirs or ':0:' .. ARGV[4], role))
    -- Which looks at all members, so not after each change.
    if role_of(theirs) == 'owner' and not is_lobby then ensure_owner(c, KEYS[4]) end
  end
end

-- Of each action: the rank that it takes, whether the lobby knows it, whether it can be done now,
-- and the doing, which comes after the entry.
local ACTIONS = {
  kick = { 1, false, function() return theirs end, take_out },
  ban = { 1, true, function() return true end, function()
    set('b')
    uninvite()
    rule(slow, closed, floor)
    if theirs and not is_lobby then take_out() end
  end },
  unban = { 1, true, function() return has('b') end, function() drop('b') end },
  mute = { 1, true, function() return present end, function()
    set('m')
    rule(slow, closed, floor)
  end },
  unmute = { 1, true, function() return has('m') end, function() drop('m') end },
  invite = { 1, false, function() return not theirs end, function()
    set('i')
    -- A list that somebody else fills must end somewhere. Who is left out can join all the same.
    if redis.call('HEXISTS', KEYS[11], cid) == 0 and redis.call('HLEN', KEYS[11]) >= LISTED then
      redis.call('HDEL', KEYS[11], redis.call('HKEYS', KEYS[11])[1])
    end
    redis.call('HSET', KEYS[11], cid, actor .. ':' .. ARGV[8])
    redis.call('PUBLISH', ARGV[11], ARGV[12])
  end },
  uninvite = { 1, false, function() return has('i') end, uninvite },
  owner = { 2, false, function() return theirs end, function() give_role('owner') end },
  moderator = { 2, true, function() return present end, function() give_role('moderator') end },
  member = { 2, true, function() return theirs end, function() give_role('member') end },
  announce = { 3, true, function() return true end, function() end },
  slow = { 1, true, function() return true end, function()
    rule(ARGV[5] .. '000', closed, floor)
  end },
  private = { 2, false, function() return closed == '0' end, function()
    rule(slow, '1', floor)
    redis.call('ZREM', KEYS[6], string.sub(cid, 3))
  end },
  public = { 2, false, function() return closed == '1' end, function()
    -- What was said in private is not for those who come.
    rule(slow, '0', c.seq - 1)
    if redis.call('HLEN', KEYS[4]) > 0 then
      redis.call('ZADD', KEYS[6], 0, string.sub(cid, 3))
    end
  end },
}

local needed, in_lobby, possible, act = unpack(ACTIONS[action])
if rank < needed or (is_lobby and not in_lobby) then return 403 end
if target ~= '' and rank_of(target, theirs, KEYS[8]) >= rank then return 403 end
if not possible() then return 410 end
if action == 'invite' then
  if left_of(redis.call('HGET', c.meta, 'b' .. target), at) then return 403 end
  if redis.call('HEXISTS', KEYS[10], actor) == 1 then return 403 end
end
if ARGV[9] ~= '' then append(c, ARGV[9]) end
act()
close(c, ARGV[10], '')
if taken_out then redis.call('PUBLISH', ARGV[11], ARGV[12]) end
audit(KEYS[7], KEYS[12], rank, actor, ARGV[8], action, cid, target, ARGV[5], ARGV[6])
return 200
