-- Shared by the scripts that read or write a conversation's log: how its entries lie in there.
--
-- The log is a stream. What one call appends lies together in blocks, each of them one entry of the
-- stream, named by its first number: to append eight together costs what two cost apart. The first
-- value of a block begins with time and epoch of them all (`chat/store/entries.py`). A block of which
-- one entry was taken away is no more: its others are kept in the sorted set `apart`, by number.

local BLOCK = 8 -- entries at most

-- What reads the log and takes away from it, made when it is wanted: each function that a script makes
-- costs every call of it, and most posts only append.
local function log_reader()
  local function id_of(seq)
    return string.format('%d-0', seq)
  end

  -- When what the log keeps of an entry was appended, and where its record begins in it. One entry that
  -- is no entry must not end the call of a script: what was appended in it is in the log by then.
  local function time_of(kept)
    return #kept >= 8 and struct.unpack('>I8', kept) or 0
  end

  local function record_at(kept)
    return 10 + (string.byte(kept, 9) or 0)
  end

  -- Who wrote it, and where in it the record's middle begins; nil of what can't be read.
  local function sender_of(kept)
    local at = record_at(kept)
    if #kept < at + 24 then return nil end
    local sender, length = struct.unpack('>I8B', kept, at + 12)
    return string.format('%.0f', sender), at + 25 + length
  end

  -- A block as the stream has it: its first number, its last one, and what is kept of each of its
  -- entries by number: time, size of the epoch, epoch, record.
  local function read_block(block)
    local first, fields = tonumber(string.match(block[1], '^%d+')), block[2]
    local found, last = { [first] = fields[2] }, first
    if #fields > 2 then
      local stamp = string.sub(fields[2], 1, record_at(fields[2]) - 1)
      for i = 4, #fields, 2 do
        last = last + 1
        found[last] = stamp .. fields[i]
      end
    end
    return first, last, found
  end

  -- What the log keeps of the numbers from `low` to `high`: number -> kept. None for what is gone.
  local function entries(log, apart, low, high)
    local all, missing = {}, high - low + 1
    local blocks = redis.call('XRANGE', log, id_of(math.max(low - BLOCK + 1, 1)), id_of(high))
    for _, block in ipairs(blocks) do
      local first, last, found = read_block(block)
      for seq = math.max(first, low), math.min(last, high) do
        all[seq] = found[seq]
        missing = missing - 1
      end
    end
    if missing > 0 then
      local found = redis.call('ZRANGEBYSCORE', apart, low, high, 'WITHSCORES')
      for i = 1, #found, 2 do all[tonumber(found[i + 1])] = found[i] end
    end
    return all
  end

  -- The block that holds a number, nil when that is gone, or kept apart: its first number, its last
  -- one, and its entries.
  local function block_of(log, seq)
    local range = { id_of(seq), id_of(math.max(seq - BLOCK + 1, 1)) }
    local block = redis.call('XREVRANGE', log, range[1], range[2], 'COUNT', 1)[1]
    if not block then return nil end
    local first, last, found = read_block(block)
    if last >= seq then return first, last, found end
  end

  -- The newest entry that the log has of the numbers up to `seq`: its number, and what is kept of it;
  -- nil when there is none.
  local function newest(log, apart, seq)
    local block = redis.call('XREVRANGE', log, id_of(seq), '-', 'COUNT', 1)[1]
    local last, found = 0, nil
    if block then
      local first, its_last, all = read_block(block)
      last = math.min(its_last, seq)
      found = all[last]
      if last == seq then return last, found end
    end
    local other = redis.call('ZREVRANGEBYSCORE', apart, seq, '(' .. last, 'WITHSCORES', 'LIMIT', 0, 1)
    if other[1] then return tonumber(other[2]), other[1] end
    if found then return last, found end
  end

  -- Take an entry away. The others of its block are kept apart from then on.
  local function take_away(log, apart, seq)
    local first, last, found = block_of(log, seq)
    if not first then
      redis.call('ZREMRANGEBYSCORE', apart, seq, seq)
      return
    end
    for other = first, last do
      if other ~= seq then redis.call('ZADD', apart, other, found[other]) end
    end
    redis.call('XDEL', log, id_of(first))
  end

  -- Take everything below `first` away; what shares a block with it stays for as long as that.
  local function forget_below(log, apart, first)
    redis.call('XTRIM', log, 'MINID', id_of((block_of(log, first)) or first))
    redis.call('ZREMRANGEBYSCORE', apart, '-inf', '(' .. first)
  end

  return {
    time_of = time_of, sender_of = sender_of, entries = entries, newest = newest,
    take_away = take_away, forget_below = forget_below,
  }
end
