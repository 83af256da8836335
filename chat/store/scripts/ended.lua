-- needs: account rules
-- Which sessions may not go on.
--
-- KEYS   the account of each
-- ARGV   the device of each
-- Result for each 1 when the account is suspended, by the store's clock, 2 when the token of its
--        device was ended, else 0
local time = tonumber(now())
local result = {}
for i = 1, #KEYS do
  local suspended = redis.call('HGET', KEYS[i], 'suspended')
  local device = redis.call('HGET', KEYS[i] .. ':devices', ARGV[i])
  if suspended and left_of(suspended, time) then
    result[i] = 1
  else
    result[i] = device and is_forgotten(device) and 2 or 0
  end
end
return result
