-- Make an invitation to register.
--
-- KEYS   1 invitation  2 the digests of all invitations
-- ARGV   1 digest, hexadecimal  2 how many may use it  3 its life, ms  4 note
-- Result when it was made, when it ends: ms since 1970
local t = redis.call('TIME')
local made = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local ends = made + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'left', ARGV[2], 'note', ARGV[4],
  'made', string.format('%.0f', made), 'ends', string.format('%.0f', ends))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
return { made, ends }
