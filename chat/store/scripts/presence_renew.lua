-- needs: presence
-- Take or renew a node's lease. One that ran out is renewed as long as nobody began to clean up.
--
-- KEYS   1 nodes
-- ARGV   1 node  2 length of the lease, ms  3 `renew`, `start`, or `alone`: start, and end the
--        leases of all others
-- Result {1 held or 0 ended, how many leases have run out, 1 if this one had}
local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if ARGV[3] == 'alone' then
  for _, node in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZADD', KEYS[1], 0, node)
  end
end
-- The clock was set back: who died before would live until it is that late again. Ten leases are more
-- than anybody has, whatever theirs is.
local lease = tonumber(ARGV[2])
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], time + 10 * lease, '+inf')) do
  redis.call('ZADD', KEYS[1], time + lease, node)
end
local late = (tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '') or time + 1) <= time
local mine = ARGV[3] ~= 'renew' or held(KEYS[1], ARGV[1])
if mine then redis.call('ZADD', KEYS[1], time + lease, ARGV[1]) end
return { mine and 1 or 0, redis.call('ZCOUNT', KEYS[1], '-inf', time), late and 1 or 0 }
