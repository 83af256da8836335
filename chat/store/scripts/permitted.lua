-- Try every command that a script here can't do without, on a key and a channel that mean nothing.
--
-- KEYS   1 the key, which is gone afterwards
-- ARGV   1 the channel
-- Result the store's error for the first command that it does not know or does not permit, or nil:
--        it looks at that before it looks at what a key holds
local key = KEYS[1]
local commands = {
  {'SET', key, 0, 'PX', 1000}, {'GET', key}, {'INCR', key}, {'DECR', key}, {'EXISTS', key},
  {'EXPIRE', key, 1}, {'PEXPIRE', key, 1000}, {'PTTL', key}, {'TIME'},
  {'HSET', key, 0, 0}, {'HSETNX', key, 0, 0}, {'HINCRBY', key, 0, 1}, {'HGET', key, 0},
  {'HMGET', key, 0}, {'HGETALL', key}, {'HEXISTS', key, 0}, {'HKEYS', key}, {'HVALS', key},
  {'HLEN', key}, {'HDEL', key, 0}, {'SADD', key, 0}, {'SMEMBERS', key}, {'SPOP', key},
  {'SREM', key, 0}, {'XADD', key, '1-0', 0, 0}, {'XRANGE', key, '-', '+'},
  {'XREVRANGE', key, '+', '-'}, {'XTRIM', key, 'MAXLEN', 0}, {'XDEL', key, '1-0'},
  {'ZADD', key, 0, 0}, {'ZCARD', key}, {'ZCOUNT', key, 0, 0}, {'ZSCORE', key, 0},
  {'ZRANGE', key, 0, 0}, {'ZRANGEBYSCORE', key, 0, 0}, {'ZREVRANGE', key, 0, 0},
  {'ZREVRANGEBYSCORE', key, 0, 0}, {'ZREVRANK', key, 0}, {'ZREM', key, 0}, {'ZREMRANGEBYSCORE', key, 0, 0},
  {'PUBLISH', ARGV[1], ''}, {'DEL', key},
}
for _, command in ipairs(commands) do
  local answer = redis.pcall(unpack(command))
  local why = type(answer) == 'table' and answer.err or ''
  if string.find(why, 'nknown.* command') then return {err = 'ERR ' .. command[1] .. ' is unknown'} end
  if string.find(why, ' run th') then return {err = 'NOPERM ' .. command[1] .. ' is not permitted'} end
end
