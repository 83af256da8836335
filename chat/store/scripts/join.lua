-- needs: conversation
-- Make a user a member of a room, which is made when it does not exist.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 the list of public rooms
--        6 the user's marks
-- ARGV   1 conversation id  2 room name without `#`  3 user id  4 user name  5 topic of a new room
--        6 record  7 channel
-- Result {1 joined, 0 was a member already, 2 joined and made}
local gen = redis.call('GET', KEYS[1]) or '0'
local c = open(KEYS[2], KEYS[3], gen, now())
local role, made = 'member', false
if not c then
  create(KEYS[2], gen)
  c = open(KEYS[2], KEYS[3], gen, now())
  role, made = 'owner', true
  if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], 'topic', ARGV[5]) end
  redis.call('ZADD', KEYS[5], 0, ARGV[2])
elseif redis.call('HEXISTS', KEYS[4], ARGV[3]) == 1 then
  return { 0 }
elseif redis.call('HLEN', KEYS[4]) == 0 then
  role = 'owner'
  redis.call('ZADD', KEYS[5], 0, ARGV[2])
end
local seq = append(c, ARGV[6])
redis.call('HSET', KEYS[4], ARGV[3], role .. ':' .. seq .. ':' .. ARGV[4])
redis.call('HSET', KEYS[6], ARGV[1], c.epoch .. ':' .. seq .. ':' .. seq)
close(c, ARGV[7], '')
return { made and 2 or 1 }
