-- needs: log conversation rules
-- A page of a conversation's log.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 apart
-- ARGV   1 user id  2 1 when everybody is a member  3 lowest number wanted  4 highest number wanted,
--        0 for the newest  5 limit  6 1 when the newest of them are wanted, 0 the oldest
--        7 epoch the caller speaks of, or ''  8 messages kept (0: all)  9 ms kept (0: for ever)
--        10 bytes after which the page ends (0: none)
-- Result -403, -404, or
--        {epoch, epochFirst, first, seq, {n, what the log keeps of it, n, ...}}; '' for a number
--        that is gone. When the epoch is another one there are no entries, and
--        epochFirst is the lowest number that was given out anew since.

-- From which number on somebody who knows `epoch` knows nothing: the lowest that any epoch after it
-- began with, 1 when it is none of this conversation's.
local function known_below(c, epoch)
  local lowest
  for name, first in string.gmatch(redis.call('HGET', c.meta, 'epochs'), '(%S+):(%d+)') do
    first = tonumber(first)
    if name == epoch then
      lowest = c.seq + 1
    elseif lowest and first < lowest then
      lowest = first
    end
  end
  return lowest or 1
end

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
if low > high then return answer end
-- In pieces, so that of very long entries no more are read than have room in a page.
local newest, room = ARGV[6] == '1', tonumber(ARGV[10])
if room == 0 then room = math.huge end
local piece = room < math.huge and 25 or high - low + 1
local found, from, to = {}, low, high
local log = log_reader()
while room > 0 and from <= to do
  local a, b = from, math.min(to, from + piece - 1)
  if newest then a, b = math.max(from, to - piece + 1), to end
  local entries = log.entries(KEYS[3], KEYS[5], a, b)
  for seq = newest and b or a, newest and a or b, newest and -1 or 1 do
    found[seq] = entries[seq]
    room = room - #(entries[seq] or '')
    if room <= 0 then
      if newest then low = seq else high = seq end
      break
    end
  end
  if newest then to = a - 1 else from = b + 1 end
end
local page, n = answer[5], 0
for seq = low, high do
  page[n + 1], page[n + 2] = seq, found[seq] or ''
  n = n + 2
end
return answer
