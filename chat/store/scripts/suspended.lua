-- Which users may not be here at present.
--
-- KEYS   their accounts
-- Result for each 1 when the account is suspended, by the store's clock
local now = redis.call('TIME')[1] * 1000
local result = {}
for i = 1, #KEYS do
  local value = redis.call('HGET', KEYS[i], 'suspended')
  local over = value and tonumber(string.match(value, '^%d+'))
  result[i] = over and (over == 0 or over > now) and 1 or 0
end
return result
