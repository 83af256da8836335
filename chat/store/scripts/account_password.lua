-- needs: account
-- Store a password and, where asked, end the tokens of all devices but one.
--
-- KEYS   1 account  2 devices
-- ARGV   1 password  2 `end` or `keep`: the tokens  3 the device that keeps its token, or ''
--        4 what every token's key starts with  5 the password that it takes the place of, or '' for
--        whichever there is  6 the user's channel  7 what the user's sessions are told, or '': here,
--        so that none of them goes on because nobody came to tell it
-- Result 1 done, 0 there is no such account, 2 its password is another one by now
local old = redis.call('HGET', KEYS[1], 'password')
if not old then return 0 end
if ARGV[5] ~= '' and ARGV[5] ~= old then return 2 end
redis.call('HSET', KEYS[1], 'password', ARGV[1])
if ARGV[2] == 'end' then forget_all(KEYS[2], ARGV[3], ARGV[4]) end
if ARGV[7] ~= '' then redis.call('PUBLISH', ARGV[6], ARGV[7]) end
return 1
