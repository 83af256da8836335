-- needs: account
-- End the token of one device, or of all, and forget it.
--
-- KEYS   1 devices
-- ARGV   1 `one` or `all`  2 device  3 what every token's key starts with  4 the user's channel
--        5 what the user's sessions are told, or '': here, so that none of them goes on because nobody
--        came to tell it
-- Result 1 done, 0 there is no such device
if ARGV[1] == 'all' then
  forget_all(KEYS[1], '', ARGV[3])
else
  local value = redis.call('HGET', KEYS[1], ARGV[2])
  if not value or is_forgotten(value) then return 0 end
  forget(KEYS[1], ARGV[2], value, ARGV[3])
end
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
