-- Take one from a budget, unless it is used up.
--
-- KEYS   1 what was spent, which ends with the period
-- ARGV   1 budget  2 the period, ms
-- Result 0 taken, else how many ms are left of the period
local left = redis.call('PTTL', KEYS[1])
-- More than the period is left where the clock was set back: nobody waits until it is that late again.
if left <= 0 or left > tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
elseif tonumber(redis.call('GET', KEYS[1])) < tonumber(ARGV[1]) then
  redis.call('INCR', KEYS[1])
else
  return left
end
return 0
