-- Count up, and notice a store that knows less than it once did: a restored backup, an older file.
--
-- KEYS   1 the tide  2 generation
-- ARGV   1 the highest count that the caller has seen  2 something random  3 the highest count of
--        the generation that the caller has seen
-- Result {count, 1 when the store went back (the generation is raised then), the generation or ''}
local count = redis.call('INCR', KEYS[1])
local seen = tonumber(ARGV[1])
local old = redis.call('GET', KEYS[2])
if count > seen then return { count, 0, old or '' } end
-- Far above what any other server can have seen: they need not raise it again.
redis.call('SET', KEYS[1], seen + 1000)
local number = math.max(old and tonumber(string.match(old, '^%d+')) or 0, tonumber(ARGV[3]))
local new = (number + 1) .. '.' .. ARGV[2]
redis.call('SET', KEYS[2], new)
return { seen + 1000, 1, new }
