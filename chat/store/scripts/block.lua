-- needs: log conversation
-- Take no messages from somebody any more, or take them again.
--
-- KEYS   1 generation  2 meta of the private conversation  3 its log  4 those whom the user blocked
-- ARGV   1 user id  2 the other's id  3 1 to block, 0 to take it back
--        4 the user's channel  5 what the user's sessions are told
-- Result 200
local at = now()
local gen = redis.call('GET', KEYS[1]) or '0'
local c = open(KEYS[2], KEYS[3], gen)
if not c then
  create(KEYS[2], gen)
  c = open(KEYS[2], KEYS[3], gen)
end
local mine = ARGV[1] .. ':'
local others = string.gsub(c.rules or 'x:', ':' .. mine, ':')
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[2], 'rules', others .. mine)
  redis.call('HSET', KEYS[4], ARGV[2], string.format('%.0f', at))
else
  if others == 'x:' then
    redis.call('HDEL', KEYS[2], 'rules')
  else
    redis.call('HSET', KEYS[2], 'rules', others)
  end
  redis.call('HDEL', KEYS[4], ARGV[2])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 200
