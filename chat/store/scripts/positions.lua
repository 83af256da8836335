-- needs: conversation rules
-- Where conversations stand, and what they are to one user.
--
-- KEYS   1 generation; then for each conversation 3: meta, log, members
-- ARGV   1 user id  2 1 when the newest entry is wanted; then for each conversation: 1 when it is to
--        be made if it is missing
-- Result for each conversation nil, or
--        {seq, first, epoch, epochFirst, topic, member (role:joined:name) or '', the number of
--         the newest entry, what the log keeps of it or '', rules or ''}
local gen = redis.call('GET', KEYS[1]) or '0'
local results = {}
for i = 1, (#KEYS - 1) / 3 do
  local k = 2 + (i - 1) * 3
  local c = open(KEYS[k], KEYS[k + 1], gen)
  if not c and ARGV[2 + i] == '1' then
    create(KEYS[k], gen)
    c = open(KEYS[k], KEYS[k + 1], gen)
  end
  results[i] = false
  if c then
    local last = ARGV[2] == '1' and redis.call('XREVRANGE', KEYS[k + 1], '+', '-', 'COUNT', 1)[1]
    local member = redis.call('HGET', KEYS[k + 2], ARGV[1])
    results[i] = {
      c.seq, readable_from(c, member), c.epoch, c.epoch_first,
      redis.call('HGET', KEYS[k], 'topic') or '', member or '',
      last and tonumber(string.match(last[1], '^%d+')) or 0, last and last[2][2] or '',
      c.rules or '',
    }
  end
end
return results
