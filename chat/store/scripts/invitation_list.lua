-- The invitations that have not ended, and forget those that have.
--
-- KEYS   1 the digests of all invitations
-- ARGV   1 what the key of every invitation starts with
-- Result digest, how many may still use it, note, made, ends; for each
local found = {}
for _, digest in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local fields = redis.call('HMGET', ARGV[1] .. digest, 'left', 'note', 'made', 'ends')
  if fields[1] then
    found[#found + 1] = digest
    for i = 1, 4 do found[#found + 1] = fields[i] end
  else
    redis.call('SREM', KEYS[1], digest)
  end
end
return found
