-- needs: conversation rules
-- Post messages to conversations: look up, permit, number, mark, append, publish, each atomically.
--
-- KEYS   1 the store's generation  2 the tide; then for each conversation 8: meta, log, members, gone, and the
--        idempotency marks of the day before yesterday, yesterday, today, tomorrow: the caller's
--        clock may be off, or midnight may have passed on the way
-- ARGV   1 today as days since 1970 on the caller's clock   2 messages kept (0: all)
--        3 ms kept (0: for ever)
--        then for each conversation: number of posts, may it be made here (1 or 0), channel,
--        second channel or ''
--          and for each post: sender, the code that refuses it unless it was accepted before
--          (0: none), digest or '', record
-- Result the tide, 0 when nothing was appended; then for each post, in their order:
--        n > 0                                       accepted with number n
--        {1, seq, time, epoch, epochFirst}           accepted before; time 0 when it is gone
--        {-code}                                     refused
--        {-code, reason, ms}                         refused by the conversation's rules, for so
--                                                    long; 0 when no end is known
--        {-503, text}                                the store could not write
local gen = redis.call('GET', KEYS[1]) or '0'
local at = now()
local number_of_day = math.floor(at / 86400000)
local today, yesterday = tostring(number_of_day), tostring(number_of_day - 1)
local shift = math.max(-1, math.min(1, number_of_day - tonumber(ARGV[1])))
local most, age = tonumber(ARGV[2]), tonumber(ARGV[3])
local results, arg, appended = { 0 }, 4, false

local function repeated(c, seq)
  local found = redis.call('XRANGE', c.log, seq .. '-0', seq .. '-0')
  local time = found[1] and time_of(found[1][2][2]) or 0
  return { 1, tonumber(seq), time, c.epoch, c.epoch_first }
end

-- Mark the number that comes next as this digest's. Returns the number it has already, if any.
-- The conversation knows the last two days with marks, so that most posts look in no other place.
local function mark(c, marks, digest)
  if redis.call('HSETNX', marks, digest, c.seq + 1) == 0 then
    return redis.call('HGET', marks, digest)
  end
  if c.day ~= today then
    redis.call('EXPIRE', marks, 172800)
    redis.call('HSET', c.meta, 'day', today, 'before', c.day or '')
    c.day, c.before = today, c.day
  end
end

-- `c` is the conversation, whose keys begin at KEYS[k]; the post's arguments begin at ARGV[a].
local function post(c, k, a, open_to_all)
  local uid, digest = ARGV[a], ARGV[a + 2]
  local marks = KEYS[k + 6 + shift]
  local permitted, code, reason, wait = open_to_all
  if c.rules then
    local member = redis.call('HGET', KEYS[k + 2], uid)
    permitted = permitted or member
    if permitted then code, reason, wait = forbidden(c, uid, member, at) end
    permitted = permitted and not code
  elseif not permitted then
    permitted = redis.call('HEXISTS', KEYS[k + 2], uid) == 1
  end
  if digest ~= '' then
    local seq
    if c.day == yesterday or (c.day == today and c.before == yesterday) then
      seq = redis.call('HGET', KEYS[k + 5 + shift], digest)
    end
    if not seq then
      if permitted and ARGV[a + 1] == '0' then
        seq = mark(c, marks, digest)
      else
        seq = redis.call('HGET', marks, digest)
      end
    end
    if seq then return repeated(c, seq) end
  end
  if ARGV[a + 1] ~= '0' then return { -tonumber(ARGV[a + 1]) } end
  if code then return { code, reason, wait } end
  if not permitted then return { shut(c) } end
  local ok, seq = pcall(append, c, ARGV[a + 3])
  if not ok then
    if digest ~= '' then redis.call('HDEL', marks, digest) end
    error(seq)
  end
  if c.slow then redis.call('HSET', c.meta, 's' .. uid, at) end
  return seq
end

for k = 3, #KEYS, 8 do
  local count, open_to_all = tonumber(ARGV[arg]), ARGV[arg + 1] == '1'
  local c = open(KEYS[k], KEYS[k + 1], gen, at)
  if not c and open_to_all and pcall(create, KEYS[k], gen) then
    c = open(KEYS[k], KEYS[k + 1], gen, at)
  end
  for i = 0, count - 1 do
    if not c then
      results[#results + 1] = { open_to_all and -503 or -404 }
    else
      local ok, result = pcall(post, c, k, arg + 4 + i * 4, open_to_all)
      if not ok then
        result = { -503, type(result) == 'table' and result.err or tostring(result) }
      end
      results[#results + 1] = result
    end
  end
  if c then
    close(c, ARGV[arg + 2], ARGV[arg + 3])
    appended = appended or c.count > 0
    if c.count > 0 and (most > 0 or age > 0) then
      trim(c, KEYS[k + 3], most, age > 0 and at - age or 0)
    end
  end
  arg = arg + 4 + count * 4
end
-- Whoever sees the tide fall knows that something which was accepted is gone.
if appended then results[1] = redis.call('INCR', KEYS[2]) end
return results
