-- needs: presence
-- A session is here, or has another status.
--
-- KEYS   1 online  2 statuses  3 nodes  4 sessions of the node  5 sessions of the user
-- ARGV   1 user id  2 user name  3 node  4 session  5 status  6 device  7 presence channel
--        8 `enter`, or `status`: only if it is here  9 a session whose place it takes, or ''
-- Result 1 done, 0 the node's lease has ended, or the session is not here
local field = ARGV[3] .. '/' .. ARGV[4]
if ARGV[8] == 'status' and redis.call('HEXISTS', KEYS[5], field) == 0 then return 0 end
return enter(KEYS, ARGV)
