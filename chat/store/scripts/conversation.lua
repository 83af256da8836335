-- Shared by the scripts that write to a conversation: its numbers, its publication; needs log.
-- A script asks for such files with a first line `-- needs: log conversation`.

-- Milliseconds since 1970 by the store's clock, the only one that all servers share.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Make a conversation that does not exist yet; its numbers start at 1.
local function create(meta, gen)
  redis.call('HSET', meta, 'epoch', gen, 'epochFirst', 1, 'seq', 0, 'first', 1, 'time', 0,
    'epochs', gen .. ':1')
end

-- Read a conversation's numbers. Its epoch is the store's generation of then. Where that moved on,
-- numbers may have been given out and lost: a new epoch begins above the ones that are known.
-- `at` is the time of what will be appended, never before that of the last entry.
-- Returns nil when there is no such conversation.
local function open(meta, log, gen, at)
  local m = redis.call('HMGET', meta, 'seq', 'first', 'epoch', 'epochFirst', 'time', 'days', 'rules')
  if not m[1] then return nil end
  local c = {
    meta = meta, log = log, seq = tonumber(m[1]), first = tonumber(m[2]), epoch = m[3],
    epoch_first = tonumber(m[4]), time = tonumber(m[5]), days = m[6], rules = m[7], count = 0,
  }
  if c.epoch ~= gen then
    c.epoch, c.epoch_first = gen, c.seq + 1
    local epochs = redis.call('HGET', meta, 'epochs') .. ' ' .. gen .. ':' .. c.epoch_first
    redis.call('HSET', meta, 'epoch', gen, 'epochFirst', c.epoch_first, 'epochs', epochs)
  end
  if at then
    if at > c.time then c.time = at end
    c.stamp = struct.pack('>I8B', c.time, #c.epoch) .. c.epoch
    c.records, c.written = {}, 0
  end
  return c
end

-- Give a record (`chat/store/entries.py`) the next number. It is in the log when `write` has succeeded.
local function add(c, record)
  c.seq, c.count = c.seq + 1, c.count + 1
  c.records[c.count] = record
  return c.seq
end

-- Append what was added and is not written yet, BLOCK records at most. What the store refuses (a number
-- that goes backwards, a full store) has changed nothing.
local function write(c)
  local from, to = c.written + 1, c.count
  local id, first = string.format('%d-0', c.seq - to + from), c.stamp .. c.records[from]
  if from == to then
    redis.call('XADD', c.log, id, 'e', first)
  else
    local fields = { 'e', first }
    for i = from + 1, to do
      fields[#fields + 1] = 'e'
      fields[#fields + 1] = c.records[i]
    end
    redis.call('XADD', c.log, id, unpack(fields))
  end
  c.written = to
end

-- Append one entry. This comes before anything else is changed.
local function append(c, record)
  local seq = add(c, record)
  write(c)
  return seq
end

-- What was appended, for everybody who listens: where it stands, then the records.
local function news(c)
  local id = string.sub(c.meta, string.find(c.meta, '{', 1, true) + 1, -7)
  return struct.pack('>BI4I8I8I8BB', 69, c.count, c.epoch_first, c.seq - c.count + 1, c.time,
    #c.epoch, #id) .. c.epoch .. id .. table.concat(c.records, '', 1, c.count)
end

-- Drop what retention does not keep: `most` entries (0: all), or those from before `oldest` (ms).
local function trim(c, apart, most, oldest)
  local first = c.first
  if most > 0 and c.seq - most + 1 > first then first = c.seq - most + 1 end
  if oldest > 0 then
    local from, to = first, math.min(first + 63, c.seq)
    local log = log_reader()
    local old = log.entries(c.log, apart, from, to)
    for seq = from, to do
      if old[seq] and log.time_of(old[seq]) >= oldest then break end
      first = seq + 1
    end
  end
  if first > c.first then
    c.first = first
    -- A store that is full, or can't write to its disk, is read all the same.
    if type(redis.pcall('HSET', c.meta, 'first', first)) == 'table' then return end
    log_reader().forget_below(c.log, apart, first)
  end
end

-- Write the numbers back and tell everybody. Call it once, after the last append.
-- A private conversation that is not with oneself has a second channel, anything else ''.
local function close(c, channel, channel2)
  if c.count == 0 then return end
  redis.call('HSET', c.meta, 'seq', c.seq, 'time', c.time)
  local said = news(c)
  redis.call('PUBLISH', channel, said)
  if channel2 ~= '' then redis.call('PUBLISH', channel2, said) end
end
