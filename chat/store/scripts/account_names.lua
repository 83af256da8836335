-- Read the names of users.
--
-- KEYS   the accounts
-- Result their names, nil for who does not exist
local names = {}
for i = 1, #KEYS do names[i] = redis.call('HGET', KEYS[i], 'name') end
return names
