-- needs: log conversation rules
-- Make a user a member of a room, which is made when it does not exist.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 the list of public rooms
--        6 the user's marks  7 the user's invitations  8 the user's conversations
-- ARGV   1 conversation id  2 room name without `#`  3 user id  4 user name  5 topic of a new room
--        6 record  7 channel  8 1 when a new room is to be private  9 rooms that the user may be in,
--        0 for any number  10 the user's channel  11 what the user's sessions are told: here, so that
--        they hear the room whatever becomes of the server that was asked
-- Result 200 a member now, or already; 403 banned, 404 it is private and the user not invited, 429 the
--        user is in as many rooms as may be
local gen, at = redis.call('GET', KEYS[1]) or '0', now()
local c = open(KEYS[2], KEYS[3], gen, at)
local made, role = not c, 'member'
if c and redis.call('HEXISTS', KEYS[4], ARGV[3]) == 1 then
  redis.call('ZADD', KEYS[8], 'NX', 0, ARGV[1])
  redis.call('PUBLISH', ARGV[10], ARGV[11])
  return 200
end
if c and c.rules then
  local found = redis.call('HMGET', KEYS[2], 'b' .. ARGV[3], 'i' .. ARGV[3])
  if left_of(found[1], at) then return 403 end
  if is_private(c) and not found[2] and redis.call('HLEN', KEYS[4]) > 0 then return 404 end
end
-- Rooms have no time: their score is 0.
local most = tonumber(ARGV[9])
if most > 0 and redis.call('ZCOUNT', KEYS[8], 0, 0) >= most then return 429 end
if made then
  create(KEYS[2], gen)
  c = open(KEYS[2], KEYS[3], gen, at)
  if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], 'topic', ARGV[5]) end
end
if made or redis.call('HLEN', KEYS[4]) == 0 then
  role = 'owner'
  -- Of a room that was left behind the bans stay; what was said in private is for nobody any more.
  local floor = c.rules and string.match(c.rules, '^%d+:%d:(%d+)') or 0
  if is_private(c) then floor = c.seq end
  if ARGV[8] == '1' or c.rules then
    redis.call('HSET', KEYS[2], 'rules', '0:' .. ARGV[8] .. ':' .. floor)
  end
  if ARGV[8] ~= '1' then redis.call('ZADD', KEYS[5], 0, ARGV[2]) end
end
local seq = append(c, ARGV[6])
redis.call('HSET', KEYS[4], ARGV[3], role .. ':' .. seq .. ':' .. ARGV[4])
redis.call('HSET', KEYS[6], ARGV[1], c.epoch .. ':' .. seq .. ':' .. seq)
redis.call('ZADD', KEYS[8], 'NX', 0, ARGV[1])
redis.call('HDEL', KEYS[2], 'i' .. ARGV[3])
redis.call('HDEL', KEYS[7], ARGV[1])
close(c, ARGV[7], '')
redis.call('PUBLISH', ARGV[10], ARGV[11])
return 200
