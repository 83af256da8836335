-- needs: account
-- Read the account of a name. The account's key is known here only: a single store, or one tag.
--
-- KEYS   1 canonical name
-- ARGV   1 what every account's key starts with
-- Result nil, or {user id, name, password, sex, created, lastSeen}
local id = redis.call('GET', KEYS[1])
if not id then return false end
local fields = redis.call('HMGET', ARGV[1] .. id .. '}', unpack(FIELDS))
if not fields[1] then return false end
return { id, unpack(fields) }
