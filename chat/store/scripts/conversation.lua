-- Shared by the scripts that write to a conversation: its numbers, its log, its publication.
-- A script asks for this file with a first line `-- needs: conversation`.

-- Milliseconds since 1970 by the store's clock, the only one that all servers share.
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Make a conversation that does not exist yet; its numbers start at 1.
local function create(meta, gen)
  redis.call('HSET', meta, 'gen', gen, 'epoch', gen, 'epochFirst', 1, 'seq', 0, 'first', 1, 'time', 0,
    'epochs', gen .. ':1')
end

-- Read a conversation's numbers. Where the store's generation moved on since they were written,
-- numbers may have been given out and lost: a new epoch begins above the ones that are known.
-- `at` is the time of what will be appended, never before that of the last entry.
-- Returns nil when there is no such conversation.
local function open(meta, log, gen, at)
  local m = redis.call('HMGET', meta, 'seq', 'first', 'epoch', 'epochFirst', 'time', 'gen',
    'day', 'before')
  if not m[1] then return nil end
  local c = {
    meta = meta, log = log, seq = tonumber(m[1]), first = tonumber(m[2]), epoch = m[3],
    epoch_first = tonumber(m[4]), time = tonumber(m[5]), day = m[7], before = m[8], count = 0,
    headers = {}, clients = {}, cores = {},
  }
  if m[6] ~= gen then
    c.epoch, c.epoch_first = gen, c.seq + 1
    local epochs = redis.call('HGET', meta, 'epochs') .. ' ' .. gen .. ':' .. c.epoch_first
    redis.call('HSET', meta, 'gen', gen, 'epoch', gen, 'epochFirst', c.epoch_first, 'epochs', epochs)
  end
  if at and at > c.time then c.time = at end
  return c
end

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

-- Append one entry. `origin` is 24 bytes: the sending server, its serial number for the post, the
-- sender's id. `inner` is the entry's middle as JSON, `quoted` the same inside a JSON string.
-- The append comes first: what it refuses (a number that goes backwards, a full store) has
-- changed nothing.
local function append(c, uid, client_id, origin, inner, quoted)
  local seq, time = c.seq + 1, c.time
  local number, moment = tostring(seq), tostring(time)
  redis.call('XADD', c.log, number .. '-0', 'u', uid, 'c', client_id, 't', moment, 'e',
    '{"seq":' .. number .. ',"epoch":"' .. c.epoch .. '",' .. inner .. ',"time":' .. moment .. '}')
  local n = c.count + 1
  c.seq, c.count = seq, n
  c.headers[n] = origin .. struct.pack('>I8I8', seq, time)
  c.clients[n] = client_id
  c.cores[n] = '{"type":"SmsMes","data":"{\\"seq\\":' .. number .. ',\\"epoch\\":\\"' .. c.epoch
    .. '\\",' .. quoted .. ',\\"time\\":' .. moment
  return seq
end

local function head(kind, c)
  local id = string.sub(c.meta, string.find(c.meta, '{', 1, true) + 1, -7)
  return kind .. struct.pack('>I4I8BB', c.count, c.epoch_first, #c.epoch, #id) .. c.epoch .. id
end

-- What was appended to a room: a header each, then the frames, ready to be sent.
local function room_news(c, suffix)
  local headers, frames = {}, {}
  for i = 1, c.count do
    local core, client_id = c.cores[i], c.clients[i]
    local length = #core + #suffix
    headers[i] = c.headers[i] .. struct.pack('>I4B', length + 4, #client_id) .. client_id
    frames[i] = struct.pack('>I4', length) .. core .. suffix
  end
  return head('E', c) .. table.concat(headers) .. table.concat(frames)
end

-- What was appended to a private conversation: each frame lacks its length and the conversation's
-- name, which is another one for each of the two.
local function private_news(c)
  if c.count == 1 then
    local core, client_id = c.cores[1], c.clients[1]
    return head('P', c) .. c.headers[1] .. struct.pack('>I4B', #core, #client_id) .. client_id .. core
  end
  local headers = {}
  for i = 1, c.count do
    local client_id = c.clients[i]
    headers[i] = c.headers[i] .. struct.pack('>I4B', #c.cores[i], #client_id) .. client_id
  end
  return head('P', c) .. table.concat(headers) .. table.concat(c.cores)
end

-- Drop what retention does not keep: `most` entries (0: all), or those from before `oldest` (ms).
local function trim(c, gone, most, oldest)
  local first = c.first
  if most > 0 and c.seq - most + 1 > first then first = c.seq - most + 1 end
  if oldest > 0 then
    local old = redis.call('XRANGE', c.log, first .. '-0', '+', 'COUNT', 64)
    for _, entry in ipairs(old) do
      if tonumber(entry[2][6]) >= oldest then break end
      first = tonumber(string.match(entry[1], '^%d+')) + 1
    end
  end
  if first > c.first then
    redis.call('XTRIM', c.log, 'MINID', first .. '-0')
    redis.call('ZREMRANGEBYSCORE', gone, '-inf', first - 1)
    redis.call('HSET', c.meta, 'first', first)
    c.first = first
  end
end

-- Write the numbers back and tell everybody. Call it once, after the last append.
-- A room has a `suffix`, the end of its frames; a private conversation has '' and, unless it is
-- with oneself, a second channel.
local function close(c, channel, suffix, channel2)
  if c.count == 0 then return end
  redis.call('HSET', c.meta, 'seq', c.seq, 'time', c.time)
  if suffix ~= '' then
    redis.call('PUBLISH', channel, room_news(c, suffix))
    return
  end
  local news = private_news(c)
  redis.call('PUBLISH', channel, news)
  if channel2 ~= '' then redis.call('PUBLISH', channel2, news) end
end
