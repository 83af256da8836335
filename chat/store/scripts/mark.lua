-- Move users' marks in conversations, never back, and tell who shows them.
--
-- KEYS   for each mark: the user's marks
-- ARGV   for each mark: conversation id, epoch, epochFirst, delivered, read, the user's channel, the
--        event for the user's own devices up to the numbers, the partner's channel or '', the event
--        for the partner up to the numbers
-- Result how many moved
local moved = 0
for i = 1, #KEYS do
  local a = (i - 1) * 9
  local id, epoch, first = ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3])
  local delivered, read = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5])
  local old = redis.call('HGET', KEYS[i], id)
  local old_delivered, old_read = 0, 0
  if old then
    local e, d, r = string.match(old, '^(.*):(%d+):(%d+)$')
    old_delivered, old_read = tonumber(d), tonumber(r)
    if e ~= epoch then
      old_delivered = math.min(old_delivered, first - 1)
      old_read = math.min(old_read, first - 1)
    end
  end
  delivered = math.max(delivered, read, old_delivered)
  read = math.max(read, old_read)
  if delivered > old_delivered or read > old_read then
    moved = moved + 1
    redis.call('HSET', KEYS[i], id, epoch .. ':' .. delivered .. ':' .. read)
    local numbers = '"delivered":' .. delivered .. ',"read":' .. read .. '}'
    redis.call('PUBLISH', ARGV[a + 6], ARGV[a + 7] .. numbers)
    if ARGV[a + 8] ~= '' then redis.call('PUBLISH', ARGV[a + 8], ARGV[a + 9] .. numbers) end
  end
end
return moved
