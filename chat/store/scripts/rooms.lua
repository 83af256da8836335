-- What a list of rooms says of each.
--
-- KEYS   for each room 2: meta, members
-- Result {topic, number of members, ...}
local result = {}
for k = 1, #KEYS, 2 do
  result[#result + 1] = redis.call('HGET', KEYS[k], 'topic') or ''
  result[#result + 1] = redis.call('HLEN', KEYS[k + 1])
end
return result
