-- needs: account
-- A device was in use just now; of an account that was deleted nothing is kept.
--
-- KEYS   1 account  2 devices
-- ARGV   1 device  2 life of its token, ms  3 what every token's key starts with
local time = now()
if redis.call('HEXISTS', KEYS[1], 'name') == 1 then
  redis.call('HSET', KEYS[1], 'lastSeen', time)
  used(KEYS[2], ARGV[1], ARGV[3], ARGV[2], time)
end
