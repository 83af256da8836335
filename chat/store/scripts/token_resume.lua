-- needs: account
-- Read whose token it is and let it live on. The account's key is known here only.
--
-- KEYS   1 token
-- ARGV   1 what every account's key starts with  2 what every token's key starts with
--        3 life of the token, ms
-- Result nil, or {{session, status and device, session, ...}, device, user id, name, password, sex,
--        created, lastSeen before this}
local owner = redis.call('HMGET', KEYS[1], 'user', 'device')
if not owner[1] then return false end
local account = ARGV[1] .. owner[1] .. '}'
local fields = redis.call('HMGET', account, unpack(FIELDS))
if not fields[1] then return false end
local time = now()
redis.call('HSET', account, 'lastSeen', time)
used(account .. ':devices', owner[2], ARGV[2], ARGV[3], time)
return { redis.call('HGETALL', account .. ':sess'), owner[2], owner[1], unpack(fields) }
