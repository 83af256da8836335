-- needs: account
-- List the devices of a user whose tokens live.
--
-- KEYS   1 devices
-- ARGV   1 what every token's key starts with
-- Result a flat list of device, since, last seen
local list = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local since, last, token = parts(all[i + 1])
  if redis.call('EXISTS', ARGV[1] .. token) == 1 then
    list[#list + 1], list[#list + 2], list[#list + 3] = all[i], since, last
  end
end
return list
