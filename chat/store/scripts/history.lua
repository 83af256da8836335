-- needs: conversation rules
-- A page of a conversation's log.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 gone
-- ARGV   1 user id  2 1 when everybody is a member  3 lowest number wanted  4 highest number wanted,
--        0 for the newest  5 limit  6 1 when the newest of them are wanted, 0 the oldest
--        7 epoch the caller speaks of, or ''  8 messages kept (0: all)  9 ms kept (0: for ever)
-- Result -403, -404, or
--        {epoch, epochFirst, first, seq, {n, what the log keeps of it, n, ...}}; '' for a number
--        that is gone. When the epoch is another one there are no entries, and
--        epochFirst is the lowest number that was given out anew since.
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0')
if not c then return -404 end
local member = ARGV[2] ~= '1' and redis.call('HGET', KEYS[4], ARGV[1])
if ARGV[2] ~= '1' and not member then return shut(c) end
local most, age = tonumber(ARGV[8]), tonumber(ARGV[9])
if most > 0 or age > 0 then trim(c, KEYS[5], most, age > 0 and now() - age or 0) end

local first = readable_from(c, member)
local answer = { c.epoch, c.epoch_first, first, c.seq, {} }
if ARGV[7] ~= '' and ARGV[7] ~= c.epoch then
  answer[2] = known_below(c, ARGV[7])
  return answer
end

local low, high, limit = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if low < first then low = first end
if high == 0 or high > c.seq then high = c.seq end
-- Numbers have no holes, so a page is a range of numbers.
if ARGV[6] == '1' then
  if high - limit + 1 > low then low = high - limit + 1 end
elseif low + limit - 1 < high then
  high = low + limit - 1
end
local page, n = answer[5], 0
if low > high then return answer end
local expected = low
local function add(seq, kept)
  page[n + 1], page[n + 2] = seq, kept
  n = n + 2
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[3], low .. '-0', high .. '-0')) do
  local seq = tonumber(string.match(entry[1], '^%d+'))
  while expected < seq do
    add(expected, '')
    expected = expected + 1
  end
  add(seq, entry[2][2])
  expected = seq + 1
end
while expected <= high do
  add(expected, '')
  expected = expected + 1
end
return answer
