-- needs: conversation
-- Post messages to conversations: look up, permit, number, append, mark, publish, each atomically.
--
-- KEYS   1 the store's generation; then for each conversation 8: meta, log, members, gone, and the
--        idempotency marks of the day before yesterday, yesterday, today, tomorrow: the caller's
--        clock may be off, or midnight may have passed on the way
-- ARGV   1 today as days since 1970 on the caller's clock   2 messages kept (0: all)
--        3 ms kept (0: for ever)
--        then for each conversation: number of posts, may it be made here (1 or 0), channel, suffix,
--        second channel or '', its suffix
--          and for each post: sender, 1 when it may only be looked up, digest or '', client id,
--          origin, inner, quoted
-- Result for each post, in their order:
--        n > 0                                       accepted with number n
--        {1, seq, time, epoch, epochFirst}           accepted before; time 0 when it is gone
--        {-code}                                     refused
--        {-503, text}                                the store could not write
local gen = redis.call('GET', KEYS[1]) or '0'
local at = now()
local today = math.floor(at / 86400000)
local day, shift = tostring(today), today - tonumber(ARGV[1])
if shift < -1 then shift = -1 elseif shift > 1 then shift = 1 end
local most, age = tonumber(ARGV[2]), tonumber(ARGV[3])
local results, arg = {}, 4

local function find(marks, digest)
  for day = 0, -1, -1 do
    local seq = redis.call('HGET', marks[3 + shift + day], digest)
    if seq then return seq end
  end
end

local function repeated(c, seq)
  local found = redis.call('XRANGE', c.log, seq .. '-0', seq .. '-0')
  local time = found[1] and tonumber(found[1][2][6]) or 0
  return { 1, tonumber(seq), time, c.epoch, c.epoch_first }
end

local function mark(c, marks, digest, seq)
  local key = marks[3 + shift]
  redis.call('HSET', key, digest, seq)
  if c.day ~= day then
    redis.call('EXPIRE', key, 172800)
    redis.call('HSET', c.meta, 'day', day)
    c.day = day
  end
end

-- `c` is the conversation, `g` its keys; the post's arguments start at ARGV[a].
local function post(c, g, a)
  local uid, lookup, digest = ARGV[a], ARGV[a + 1], ARGV[a + 2]
  if digest ~= '' then
    local seq = find(g.marks, digest)
    if seq then return repeated(c, seq) end
  end
  if lookup == '1' then return { -429 } end
  if not g.open and redis.call('HEXISTS', g.members, uid) == 0 then return { -403 } end
  local seq = append(c, uid, ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6])
  if digest ~= '' then mark(c, g.marks, digest, seq) end
  return seq
end

for k = 2, #KEYS, 8 do
  local count, open_to_all = tonumber(ARGV[arg]), ARGV[arg + 1] == '1'
  local g = {
    members = KEYS[k + 2], open = open_to_all, 
    marks = { KEYS[k + 4], KEYS[k + 5], KEYS[k + 6], KEYS[k + 7] },
  }
  local c = open(KEYS[k], KEYS[k + 1], gen, at)
  if not c and open_to_all and pcall(create, KEYS[k], gen) then
    c = open(KEYS[k], KEYS[k + 1], gen, at)
  end
  for i = 0, count - 1 do
    if not c then
      results[#results + 1] = { open_to_all and -503 or -404 }
    else
      local ok, result = pcall(post, c, g, arg + 6 + i * 7)
      if not ok then
        result = { -503, type(result) == 'table' and result.err or tostring(result) }
      end
      results[#results + 1] = result
    end
  end
  if c then
    close(c, ARGV[arg + 2], ARGV[arg + 3], ARGV[arg + 4], ARGV[arg + 5])
    if c.count > 0 and (most > 0 or age > 0) then
      trim(c, KEYS[k + 3], most, age > 0 and at - age or 0)
    end
  end
  arg = arg + 6 + count * 7
end
return results
