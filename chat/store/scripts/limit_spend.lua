-- Take one from a budget, unless it is used up.
--
-- KEYS   1 what was spent, which ends with the period
-- ARGV   1 budget  2 the period, ms
-- Result 0 taken, else how many ms are left of the period
local spent = redis.call('GET', KEYS[1])
if not spent then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
elseif tonumber(spent) < tonumber(ARGV[1]) then
  redis.call('INCR', KEYS[1])
else
  return math.max(1, redis.call('PTTL', KEYS[1]))
end
return 0
