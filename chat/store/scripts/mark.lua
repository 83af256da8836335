-- Move a user's marks in conversations, never back, and tell who shows them.
--
-- KEYS   1 the user's marks
-- ARGV   1 the user's channel; then for each conversation: id, epoch, epochFirst, delivered, read,
--        the event for the user's own devices up to the numbers, the partner's channel or '', the
--        event for the partner up to the numbers
-- Result {moved (1 or 0), ...}
local results = {}
for a = 2, #ARGV, 8 do
  local id, epoch, first = ARGV[a], ARGV[a + 1], tonumber(ARGV[a + 2])
  local delivered, read = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local old = redis.call('HGET', KEYS[1], id)
  local old_delivered, old_read = 0, 0
  if old then
    local e, d, r = string.match(old, '^(.*):(%d+):(%d+)$')
    old_delivered, old_read = tonumber(d), tonumber(r)
    if e ~= epoch then
      old_delivered = math.min(old_delivered, first - 1)
      old_read = math.min(old_read, first - 1)
    end
  end
  if read > delivered then delivered = read end
  delivered, read = math.max(delivered, old_delivered), math.max(read, old_read)
  if delivered > old_delivered or read > old_read then
    redis.call('HSET', KEYS[1], id, epoch .. ':' .. delivered .. ':' .. read)
    local numbers = '"delivered":' .. delivered .. ',"read":' .. read .. '}'
    redis.call('PUBLISH', ARGV[1], ARGV[a + 5] .. numbers)
    if ARGV[a + 6] ~= '' then redis.call('PUBLISH', ARGV[a + 6], ARGV[a + 7] .. numbers) end
    results[#results + 1] = 1
  else
    results[#results + 1] = 0
  end
end
return results
