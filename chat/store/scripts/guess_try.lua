-- Count one more wrong password, before it is looked at, unless one has to wait for that.
--
-- Each counter is a hash: n, how many were wrong, and at, when the last one was (ms). Up to its
-- allowance one goes on at once, then one waits 1 s, 2 s, 4 s, ...; the address's and the account's
-- sink again by their allowance in each period, for there many people may mistype.
--
-- KEYS   1 of the account from this address  2 of the address  3 of the account
--        4 addresses from which the account was logged in well
-- ARGV   1 to 3 their allowances, 0 for no limit  4 the period, ms  5 the longest wait, ms
--        6 how long a counter is kept, ms  7 the address
-- Result 0 counted, else how many ms to wait
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local period, longest = tonumber(ARGV[4]), tonumber(ARGV[5])

local function read(i)
  local fields = redis.call('HMGET', KEYS[i], 'n', 'at')
  local n, at, most = tonumber(fields[1] or 0), tonumber(fields[2] or 0), tonumber(ARGV[i])
  -- The clock was set back: nobody waits until it is that late again.
  if at > now then at = 0 end
  local wait = 0
  if i > 1 and most > 0 then n = math.max(0, n - (now - at) * most / period) end
  if most > 0 and n > most - 1 then
    wait = math.max(0, at + math.min(longest, 1000 * 2 ^ (math.ceil(n) - most)) - now)
  end
  return n, wait
end

local counted, waits = {}, {}
for i = 1, 3 do counted[i], waits[i] = read(i) end
local wait = waits[1]
if redis.call('HEXISTS', KEYS[4], ARGV[7]) == 0 then
  wait = math.max(wait, waits[2])
  -- The first try from an address is always looked at: nobody can lock out an account's owner.
  if counted[1] > 0 then wait = math.max(wait, waits[3]) end
end
if wait > 0 then return math.ceil(wait) end
for i = 1, 3 do
  redis.call('HSET', KEYS[i], 'n', counted[i] + 1, 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[i], ARGV[6])
end
return 0
