-- Give one back to a budget whose period has not ended.
--
-- KEYS   1 what was spent
local spent = redis.call('GET', KEYS[1])
if spent and tonumber(spent) > 0 then redis.call('DECR', KEYS[1]) end
