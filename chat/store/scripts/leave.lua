-- needs: conversation
-- End a user's membership of a room; an empty room is no longer listed, and its log stays.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 the list of public rooms
-- ARGV   1 room name without `#`  2 user id  3 record  4 channel
-- Result 200, 403 when the user is no member, 404 when there is no such room
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0', now())
if not c then return 404 end
local member = redis.call('HGET', KEYS[4], ARGV[2])
if not member then return 403 end
append(c, ARGV[3])
redis.call('HDEL', KEYS[4], ARGV[2])
if redis.call('HLEN', KEYS[4]) == 0 then
  redis.call('ZREM', KEYS[5], ARGV[1])
elseif string.sub(member, 1, 6) == 'owner:' then
  -- Somebody has to own it: who is there first in the hash is as good as anybody.
  local next_owner = redis.call('HRANDFIELD', KEYS[4], 1)[1]
  local value = redis.call('HGET', KEYS[4], next_owner)
  redis.call('HSET', KEYS[4], next_owner, 'owner' .. string.sub(value, string.find(value, ':'), -1))
end
close(c, ARGV[4], '')
return 200
