-- The store's generation; it is raised whenever numbers may have been given out and lost.
--
-- KEYS   1 generation
-- ARGV   1 1 to raise it, 2 to raise it unless it is above 3 already  2 something random: a store that was rolled back counts the same again
--        3 the highest count that the caller has seen
-- Result the generation, `<count>.<random>`
local old = redis.call('GET', KEYS[1])
if old and ARGV[1] == '0' then return old end
local count = old and tonumber(string.match(old, '^%d+')) or 0
if old and ARGV[1] == '2' and count > tonumber(ARGV[3]) then return old end
local new = (math.max(count, tonumber(ARGV[3])) + 1) .. '.' .. ARGV[2]
redis.call('SET', KEYS[1], new)
return new
