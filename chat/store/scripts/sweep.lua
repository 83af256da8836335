-- needs: log conversation
-- Take away what retention does not keep, where nobody writes or reads any more, too.
--
-- KEYS   for each conversation 3: meta, log, apart
-- ARGV   1 entries that one keeps, 0 for all  2 for how many ms, 0 for ever
-- Result the places, from 0, of those conversations from which there may be more to take away
local most, age = tonumber(ARGV[1]), tonumber(ARGV[2])
local more = {}
for i = 1, #KEYS, 3 do
  local meta = KEYS[i]
  -- In its own epoch: a new one begins when somebody writes or reads.
  local c = open(meta, KEYS[i + 1], redis.call('HGET', meta, 'epoch'))
  if c and c.first <= c.seq then
    local first = c.first
    trim(c, KEYS[i + 2], most, age > 0 and now() - age or 0)
    -- In a store that is full nothing is taken away, and asking again would change nothing.
    local kept = tonumber(redis.call('HGET', meta, 'first'))
    if kept > first and kept <= c.seq then more[#more + 1] = (i - 1) / 3 end
  end
end
return more
