-- needs: log conversation rules standing
-- Where conversations stand, and what they are to one user.
--
-- KEYS   1 generation; then for each conversation 3: meta, log, members
-- ARGV   1 user id  2 1 when the newest entry is wanted; then for each conversation: 1 when it is to
--        be made if it is missing
-- Result for each conversation nil, or what `stands` tells
local gen = redis.call('GET', KEYS[1]) or '0'
local results = {}
for i = 1, (#KEYS - 1) / 3 do
  local k = 2 + (i - 1) * 3
  results[i] = stands(KEYS[k], KEYS[k + 1], KEYS[k + 2], gen, ARGV[1], ARGV[2] == '1',
    ARGV[2 + i] == '1')
end
return results
