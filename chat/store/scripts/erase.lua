-- needs: log conversation
-- Take away what one user wrote in a conversation, a page of it, and what it says about them; the
-- lists of others who blocked them there, or were invited by them, name them no more. An entry tells
-- it to those who hold copies, in the same step as the first text goes.
--
-- KEYS   1 meta  2 log  3 apart  4 generation
-- ARGV   1 user id  2 number to begin with  3 entries to look at  4 the entry's record, or '' when it
--        stands there already  5 channel  6 second channel or ''
--        7 the conversation's id  8 what every account's key starts with
-- Result {the number to go on with, 0 at the end; how many entries went}
local uid, erased = ARGV[1], 0
if ARGV[2] == '1' then
  for _, field in ipairs({ 'm', 'b', 'i', 's' }) do redis.call('HDEL', KEYS[1], field .. uid) end
  local one, other = string.match(KEYS[1], '^[^{]*{p:(%d+):(%d+)}')
  -- Servers don't ask at each message whether the one it is for still exists.
  if one == uid or other == uid then
    redis.call('HSET', KEYS[1], 'rules', 'x:0:')
    redis.call('HDEL', ARGV[8] .. (one == uid and other or one) .. '}:blocks', uid)
  end
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local guest = string.match(field, '^i(%d+)$')
    local invited = guest and ARGV[8] .. guest .. '}:invited'
    local by = invited and redis.call('HGET', invited, ARGV[7])
    if by and string.match(by, '^%d+') == uid then redis.call('HSET', invited, ARGV[7], uid .. ':') end
  end
end
local about = ',"target":' .. uid .. ',"targetName":'
local numbers = redis.call('HMGET', KEYS[1], 'first', 'seq')
-- Nobody reads what is below the first, and some of it lies there with what is above.
local from = math.max(tonumber(ARGV[2]), tonumber(numbers[1] or 1) - BLOCK + 1)
local newest = tonumber(numbers[2] or 0)
local last = math.min(from + tonumber(ARGV[3]) - 1, newest)
local log = log_reader()
for seq, kept in pairs(log.entries(KEYS[2], KEYS[3], from, last)) do
  if log.sender_of(kept) == uid or string.find(kept, about, 1, true) then
    log.take_away(KEYS[2], KEYS[3], seq)
    erased = erased + 1
  end
end
if erased > 0 and ARGV[4] ~= '' then
  local c = open(KEYS[1], KEYS[2], redis.call('GET', KEYS[4]) or '0', now())
  append(c, ARGV[4])
  close(c, ARGV[5], ARGV[6])
end
return { last < newest and last + 1 or 0, erased }
