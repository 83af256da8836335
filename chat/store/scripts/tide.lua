-- Count up, and notice a store that knows less than it once did (a restored backup, an older file)
-- or may do so: a replica that has taken over, of which nobody knows how far it was behind.
--
-- KEYS   1 the tide  2 generation  3 the replication id of the store that the generation belongs to
-- ARGV   1 the highest count that the caller has seen  2 something random  3 the highest count of
--        the generation that the caller has seen
-- Result {count, why the generation was raised: 0 it was not, 1 the store went back, 2 another
--        store has taken over; the generation or ''}

-- Every start of a store gives it a new id; one that took over remembers its predecessor's as well.
local function taken_over()
  local ok, info = pcall(redis.call, 'INFO', 'replication')
  local id = ok and string.match(info, 'master_replid:(%x+)')
  local known = redis.call('GET', KEYS[3])
  if not id or id == known then return false end
  redis.call('SET', KEYS[3], id)
  return known and not string.match(info, 'master_replid2:0+%s')
end

local count = redis.call('INCR', KEYS[1])
local seen = tonumber(ARGV[1])
local old = redis.call('GET', KEYS[2])
local why = taken_over() and 2 or count <= seen and 1 or 0
if why == 0 then return { count, 0, old or '' } end
-- Far above what any other server can have seen: they need not raise it again.
count = math.max(count, seen) + 1000000
redis.call('SET', KEYS[1], count)
local number = math.max(old and tonumber(string.match(old, '^%d+')) or 0, tonumber(ARGV[3]))
local new = (number + 1) .. '.' .. ARGV[2]
redis.call('SET', KEYS[2], new)
return { count, why, new }
