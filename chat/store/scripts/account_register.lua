-- needs: account
-- Make an account, unless its id or its name belongs to somebody.
--
-- KEYS   1 account  2 canonical name  3 invitation that it takes, if it takes one
-- ARGV   1 user id  2 name  3 password  4 sex
-- Result 0 done, 1 the id is taken, 2 the name is taken, 3 the invitation is of no use
if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if KEYS[3] then
  if tonumber(redis.call('HGET', KEYS[3], 'left') or 0) < 1 then return 3 end
  redis.call('HINCRBY', KEYS[3], 'left', -1)
end
local time = now()
redis.call('SET', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'name', ARGV[2], 'password', ARGV[3], 'sex', ARGV[4],
  'created', time, 'lastSeen', time)
return 0
