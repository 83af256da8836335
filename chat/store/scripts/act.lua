-- needs: conversation
-- Set a room's topic, or take the text of an entry away: both are entries themselves.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 gone
-- ARGV   1 `topic` or `redact`  2 user id  3 topic, or number of the entry  4 1 when everybody is a
--        member  5 record  6 channel  7 second channel or ''
-- Result the number of the new entry, or -403 not allowed, -404 no such conversation or entry
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0', now())
if not c then return -404 end
local member = redis.call('HGET', KEYS[4], ARGV[2])
if not member and ARGV[4] ~= '1' then return -403 end
local role = member and string.match(member, '^%a+') or ''

if ARGV[1] == 'topic' then
  if role ~= 'owner' and role ~= 'moderator' then return -403 end
  redis.call('HSET', KEYS[2], 'topic', ARGV[3])
else
  local wanted = tonumber(ARGV[3])
  if wanted < c.first or wanted > c.seq then return -404 end
  local found = redis.call('XRANGE', KEYS[3], ARGV[3] .. '-0', ARGV[3] .. '-0')
  if not found[1] then return -404 end
  local kept = found[1][2][2]
  local at = record_at(kept)
  local sender, length = struct.unpack('>I8B', kept, at + 12)
  local mine = sender == tonumber(ARGV[2])
  if not mine and role ~= 'owner' and role ~= 'moderator' then return -403 end
  -- Only messages carry text of people; what happened in the room stays on record.
  if string.sub(kept, at + 25 + length, at + 31 + length) == '"kind":' then return -403 end
  redis.call('ZADD', KEYS[5], ARGV[3], ARGV[3])
  redis.call('XDEL', KEYS[3], ARGV[3] .. '-0')
end
local seq = append(c, ARGV[5])
close(c, ARGV[6], ARGV[7])
return seq
