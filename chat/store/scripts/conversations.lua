-- needs: log conversation rules standing
-- Which conversations a user is in, rooms and private ones, the newest first, with the marks.
--
-- KEYS   1 the user's conversations  2 the user's marks
-- ARGV   1 page after this conversation id, or ''  2 limit  3 conversation ids that come first and
--        are in nobody's list, separated by spaces
-- Result {more (1 or 0), id, mark or '', id, mark, ...}; a mark is epoch:delivered:read
local rank, first = 0, ARGV[3]
if ARGV[1] ~= '' then
  local found = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if not found and string.sub(ARGV[1], 1, 2) == 'r:' then
    -- A room that was left since: where it stood. Rooms have no time, and so stand in one order. In a
    -- store that is full it can't be put there: then all rooms come again.
    if type(redis.pcall('ZADD', KEYS[1], 0, ARGV[1])) == 'table' then
      found = redis.call('ZCOUNT', KEYS[1], '(0', '+inf') - 1
    else
      found = redis.call('ZREVRANK', KEYS[1], ARGV[1]) - 1
      redis.call('ZREM', KEYS[1], ARGV[1])
    end
  end
  if not found then return { 0 } end
  rank, first = found + 1, ''
end
local ids, more = listed(KEYS[1], rank, tonumber(ARGV[2]), first)
local result = { more }
for _, id in ipairs(ids) do
  result[#result + 1] = id
  result[#result + 1] = redis.call('HGET', KEYS[2], id) or ''
end
return result
