-- needs: log conversation
-- Where in a conversation a moment is, by bisection: times never go down along a log.
--
-- KEYS   1 meta  2 log  3 apart
-- ARGV   1 ms since 1970
-- Result the highest number whose entry is older, 0 when there is none
local m = redis.call('HMGET', KEYS[1], 'first', 'seq')
if not m[1] then return 0 end
local low, high = tonumber(m[1]) - 1, tonumber(m[2])
local moment = tonumber(ARGV[1])
local log = log_reader()
while low < high do
  local middle = math.floor((low + high + 1) / 2)
  local seq, kept = log.newest(KEYS[2], KEYS[3], middle)
  if not seq or log.time_of(kept) < moment then
    -- What is gone has no time: as good as older.
    low = middle
  else
    high = seq - 1
  end
end
return low
