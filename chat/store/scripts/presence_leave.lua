-- needs: presence
-- A session is gone.
--
-- KEYS   1 online  2 statuses  3 sessions of the node  4 sessions of the user
-- ARGV   1 user id  2 node  3 session  4 presence channel
redis.call('HDEL', KEYS[4], ARGV[2] .. '/' .. ARGV[3])
redis.call('SREM', KEYS[3], ARGV[1] .. '/' .. ARGV[3])
tell(ARGV[4], { settle(KEYS[1], KEYS[2], KEYS[4], ARGV[1]) })
