-- The store's generation; it is raised whenever numbers may have been given out and lost.
--
-- KEYS   1 generation
-- ARGV   1 something random: a store that was rolled back counts the same again  2 the highest count
--        that the caller has seen, above which somebody has raised it already; '' to raise it anyway
-- Result the generation, `<count>.<random>`
local old = redis.call('GET', KEYS[1]) or '0'
local count, seen = tonumber(string.match(old, '^%d+')), tonumber(ARGV[2])
if seen and count > seen then return old end
local new = (math.max(count, seen or 0) + 1) .. '.' .. ARGV[1]
redis.call('SET', KEYS[1], new)
return new
