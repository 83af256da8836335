-- needs: log conversation rules belonging
-- End a user's membership of a room.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 the list of public rooms
--        6 the user's conversations
-- ARGV   1 room name without `#`  2 user id  3 record  4 channel  5 conversation id
--        6 the user's channel  7 what the user's sessions are told: here, so that whoever joins again
--        on another device is not taken out by what is told of this
-- Result 200, 403 when the user is no member, 404 when there is no such room
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0', now())
if not c then return 404 end
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then return -shut(c) end
append(c, ARGV[3])
remove(c, KEYS[4], ARGV[2], KEYS[5], ARGV[1])
redis.call('ZREM', KEYS[6], ARGV[5])
close(c, ARGV[4], '')
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 200
