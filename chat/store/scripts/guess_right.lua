-- The password was right: it counts no longer, and the address is remembered.
--
-- KEYS   1 of the account from this address  2 of the address  3 of the account
--        4 addresses from which the account was logged in well -> when last, ms
-- ARGV   1 the address  2 how long it is remembered, ms  3 how many are
local t = redis.call('TIME')
redis.call('DEL', KEYS[1])
for i = 2, 3 do
  local n = tonumber(redis.call('HGET', KEYS[i], 'n') or 0)
  if n >= 1 then redis.call('HSET', KEYS[i], 'n', n - 1) end
end
redis.call('HSET', KEYS[4], ARGV[1], t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000)))
redis.call('PEXPIRE', KEYS[4], ARGV[2])
if redis.call('HLEN', KEYS[4]) > tonumber(ARGV[3]) then
  local all, oldest, when = redis.call('HGETALL', KEYS[4]), nil, math.huge
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) < when then oldest, when = all[i], tonumber(all[i + 1]) end
  end
  redis.call('HDEL', KEYS[4], oldest)
end
