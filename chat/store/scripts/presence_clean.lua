-- needs: presence
-- End the lease of one node, given or run out, and take away some of its sessions. The users' keys
-- are known here only.
--
-- KEYS   1 online  2 statuses  3 nodes
-- ARGV   1 node, or '' for any whose lease has run out  2 sessions at most  3 presence channel
--        4, 5 what stands before and after the node in the key of a node's sessions
--        6, 7 what stands before and after the id in the key of a user's sessions
-- Result 1 there may be more to clean up, 0 nothing is left
local node = ARGV[1]
if node == '' then
  local t = redis.call('TIME')
  local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  node = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', time, 'LIMIT', 0, 1)[1]
  if not node then return 0 end
end
redis.call('ZADD', KEYS[3], 'XX', 0, node)
local key = ARGV[4] .. node .. ARGV[5]
local changes = {}
for _, member in ipairs(redis.call('SPOP', key, ARGV[2])) do
  local id, session = string.match(member, '^(%d+)/(.*)$')
  local sessions = ARGV[6] .. id .. ARGV[7]
  redis.call('HDEL', sessions, node .. '/' .. session)
  changes[#changes + 1] = settle(KEYS[1], KEYS[2], sessions, id)
end
tell(ARGV[3], changes)
if redis.call('EXISTS', key) == 1 then return 1 end
redis.call('ZREM', KEYS[3], node)
return ARGV[1] == '' and 1 or 0
