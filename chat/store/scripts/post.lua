-- needs: log conversation rules
-- Post messages to conversations: look up, permit, number, mark, append, publish, each atomically.
--
-- KEYS   1 the store's generation  2 the tide; then meta of each conversation, from whose name those
--        of its other keys are made here: to say them all took as long as many a post.
--        `dd:<day>` is a hash: digest of (sender, clientId) -> number, of one day since 1970 UTC
-- ARGV   1 messages kept (0: all)   2 ms kept (0: for ever)
--        then for each conversation: number of posts, may it be made here (1 or 0), channel,
--        second channel or ''
--          and for each post: the code that refuses it unless it was accepted before (0: none):2
--          size of the digest:1 (0: nothing to recognize it by) digest record
-- Result the tide, 0 when nothing was appended; then for each post, in their order:
--        n > 0                                       accepted with number n
--        {1, seq, time, epoch, epochFirst}           accepted before; time 0 when it is gone
--        {-code}                                     refused
--        {-code, reason, ms}                         refused by the conversation's rules, for so
--                                                    long; 0 when no end is known
--        {-503, text}                                the store could not write
local gen = redis.call('GET', KEYS[1]) or '0'
local at = now()
local day, today, yesterday, both
local most, age = tonumber(ARGV[1]), tonumber(ARGV[2])
local results, arg, appended = { 0 }, 3, false

local function refused(why)
  return { -503, type(why) == 'table' and why.err or tostring(why) }
end

-- Write what was added to a conversation, whose results begin at `from` and whose posts at `ARGV[at]`.
-- What the store refuses is answered so, and not marked.
local function flush(c, from, at)
  if c.written == c.count then return end
  local ok, why = pcall(write, c)
  if ok then return end
  c.seq, c.count = c.seq - c.count + c.written, c.written
  local marks = c.keys .. 'dd:' .. today
  for i = from, #results do
    local result = results[i]
    local seq = type(result) == 'number' and result or result[1] == 1 and result[2]
    if seq and seq > c.seq then
      local _, digest = struct.unpack('>HBc0', ARGV[at + i - from])
      if digest ~= '' then redis.call('HDEL', marks, digest) end
      results[i] = refused(why)
    end
  end
end

-- Say of repetitions what their first answers said, when all is written: they may repeat each other.
local function tell_repeated(c, from)
  local log, apart = log_reader(), c.keys .. 'apart'
  for i = from, #results do
    local seq = type(results[i]) == 'table' and results[i][1] == 1 and results[i][2]
    if seq then
      local kept = log.entries(c.log, apart, seq, seq)[seq]
      results[i] = { 1, seq, kept and log.time_of(kept) or 0, c.epoch, c.epoch_first }
    end
  end
end

-- Name the days by a time, as of a conversation's last entry: where the clock was set back over midnight,
-- what was marked after it is looked for there. Not by one that is days ahead: marks would end too soon.
local function name_days(time)
  local found = math.floor((time - at < 86400000 and time or at) / 86400000)
  if found == day then return end
  day, today, yesterday = found, string.format('%d', found), string.format('%d', found - 1)
  both = today .. ' ' .. yesterday
end

-- On which of the last two days something was marked: `days` of meta names the last one, and the
-- day before it where that had marks too. So most posts look in no other place.
local function look_at_days(c)
  c.today = c.days == today or c.days == both
  c.yesterday = c.days == both or c.days and string.find(c.days, yesterday, 1, true) == 1
end

-- Mark the number that comes next as this digest's. Returns the number it has already, if any.
local function mark(c, marks, digest)
  if redis.call('HSETNX', marks, digest, c.seq + 1) == 0 then
    return redis.call('HGET', marks, digest)
  end
  if not c.today then
    redis.call('EXPIRE', marks, 172800)
    redis.call('HSET', c.meta, 'days', c.yesterday and both or today)
    c.today = true
  end
end

-- `word` is the post as it came. Returns its number, or why it has none; and its sender, where that had
-- to be known.
local function post(c, word, open_to_all)
  local keys = c.keys  -- what the conversation's keys begin with
  local refusal, digest, start = struct.unpack('>HBc0', word)
  local permitted, code, reason, wait, uid = open_to_all
  if c.rules or not open_to_all then
    uid = string.format('%.0f', (struct.unpack('>I8', word, start + 12)))  -- as in the record
    local member = redis.call('HGET', keys .. 'members', uid)
    permitted = permitted or member
    if c.rules and permitted then code, reason, wait = forbidden(c, uid, member, at) end
    permitted = permitted and not code
  end
  local marks = keys .. 'dd:' .. today
  if digest ~= '' then
    local seq
    if c.yesterday then
      seq = redis.call('HGET', keys .. 'dd:' .. yesterday, digest)
    end
    if not seq then
      if permitted and refusal == 0 then
        seq = mark(c, marks, digest)
      else
        seq = redis.call('HGET', marks, digest)
      end
    end
    if seq then
      c.repeats = true
      return { 1, tonumber(seq) }
    end
  end
  if code then return { code, reason, wait } end
  if refusal ~= 0 then return { -refusal } end
  if not permitted then return { shut(c) } end
  return add(c, string.sub(word, start)), uid
end

for k = 3, #KEYS do
  local count, open_to_all = tonumber(ARGV[arg]), ARGV[arg + 1] == '1'
  local keys, from, at_post = string.sub(KEYS[k], 1, -5), #results + 1, arg + 4
  local c = open(KEYS[k], keys .. 'log', gen, at)
  if not c and open_to_all and pcall(create, KEYS[k], gen) then
    c = open(KEYS[k], keys .. 'log', gen, at)
  end
  if c then
    c.keys = keys
    name_days(c.time)
    look_at_days(c)
  end
  for i = at_post, at_post + count - 1 do
    if not c then
      results[#results + 1] = { open_to_all and -503 or -404 }
    else
      local ok, result, uid = pcall(post, c, ARGV[i], open_to_all)
      results[#results + 1] = ok and result or refused(result)
      if c.slow or c.count - c.written == BLOCK then flush(c, from, at_post) end
      if c.slow and type(results[#results]) == 'number' then
        redis.pcall('HSET', c.meta, 's' .. uid, at)
      end
    end
  end
  if c then
    flush(c, from, at_post)
    close(c, ARGV[arg + 2], ARGV[arg + 3])
    if c.repeats then tell_repeated(c, from) end
    appended = appended or c.count > 0
    if c.count > 0 and (most > 0 or age > 0) then
      trim(c, keys .. 'apart', most, age > 0 and at - age or 0)
    end
  end
  arg = arg + 4 + count
end
-- Whoever sees the tide fall knows that something which was accepted is gone.
if appended then results[1] = redis.call('INCR', KEYS[2]) end
return results
