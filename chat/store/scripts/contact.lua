-- A private conversation is on a user's list, with a time that says that it is alive.
--
-- KEYS   1 the user's conversations
-- ARGV   1 conversation id
-- Result nothing
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'GT', now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
