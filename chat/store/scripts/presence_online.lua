-- Read a page of the users online, in the order of their ids.
--
-- KEYS   1 online  2 statuses
-- ARGV   1 the id after which it begins  2 users at most
-- Result {how many in all, id, `status:name`, id, ...}
local page = { redis.call('ZCARD', KEYS[1]) }
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  page[#page + 1] = id
  page[#page + 1] = redis.call('HGET', KEYS[2], id)
end
return page
