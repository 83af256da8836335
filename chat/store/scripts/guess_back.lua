-- The password was not looked at: it counts no longer.
--
-- KEYS   1 of the account from this address  2 of the address  3 of the account
for i = 1, 3 do
  local n = tonumber(redis.call('HGET', KEYS[i], 'n') or 0)
  if n >= 1 then redis.call('HSET', KEYS[i], 'n', n - 1) end
end
