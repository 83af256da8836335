-- needs: account
-- Remember a device and its token, in place of its older one; devices whose token ended are
-- forgotten, and those that rested the longest when there are as many as are remembered.
--
-- KEYS   1 devices  2 token
-- ARGV   1 user id  2 device  3 SHA-256 of the token, hexadecimal  4 devices remembered, 0 for any
--        number  5 life of the token, ms  6 what every token's key starts with
local since, old, others = nil, nil, {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local came, last, token = parts(all[i + 1])
  if all[i] == ARGV[2] then
    since, old = came, token
  elseif redis.call('EXISTS', ARGV[6] .. token) == 1 then
    others[#others + 1] = { device = all[i], value = all[i + 1], last = tonumber(last) }
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
local most = tonumber(ARGV[4])
if most > 0 and #others >= most then
  table.sort(others, function(a, b) return a.last < b.last end)
  for i = 1, #others - most + 1 do
    forget(KEYS[1], others[i].device, others[i].value, ARGV[6])
    redis.call('HDEL', KEYS[1], others[i].device)
  end
end
if old then redis.call('DEL', ARGV[6] .. old) end
local time = now()
redis.call('HSET', KEYS[2], 'user', ARGV[1], 'device', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], ARGV[2], entry(since or time, time, ARGV[3]))
