-- needs: conversation
-- Where in a conversation a moment is, by bisection: times never go down along a log.
--
-- KEYS   1 meta  2 log
-- ARGV   1 ms since 1970
-- Result the highest number whose entry is older, 0 when there is none
local m = redis.call('HMGET', KEYS[1], 'first', 'seq')
if not m[1] then return 0 end
local low, high = tonumber(m[1]) - 1, tonumber(m[2])
local moment = tonumber(ARGV[1])
while low < high do
  local middle = math.floor((low + high + 1) / 2)
  local found = redis.call('XREVRANGE', KEYS[2], middle .. '-0', (low + 1) .. '-0', 'COUNT', 1)[1]
  if not found then
    -- Everything in between is redacted and has no time: as good as older.
    low = middle
  elseif time_of(found[2][2]) < moment then
    low = middle
  else
    high = tonumber(string.match(found[1], '^%d+')) - 1
  end
end
return low
