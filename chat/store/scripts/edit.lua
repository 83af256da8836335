-- needs: log conversation rules edited
-- Give a message another text, for its author. An entry says so.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 apart
-- ARGV   1 user id  2 number of the message  3 1 when everybody is a member  4 the middle of a message
--        that says the new text  5 the entry's record  6 channel  7 second channel or ''
-- Result 200 it says that now, or did already; 403 it is somebody else's; 404 no such message; or
--        {-code, reason, ms} as `post` refuses a message of theirs
local at = now()
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0', at)
if not c then return { -404, '', 0 } end
local uid, wanted = ARGV[1], tonumber(ARGV[2])
local member = redis.call('HGET', KEYS[4], uid)
if not member and ARGV[3] ~= '1' then return { shut(c), '', 0 } end

if wanted < readable_from(c, member) or wanted > c.seq then return 404 end
local log = log_reader()
local kept = log.entries(KEYS[3], KEYS[5], wanted, wanted)[wanted]
local sender, said, behind, edited = message_of(log, kept or '')
if not sender then return 404 end
if sender ~= uid then return 403 end
-- Before the rules, as with messages: a client that got no answer asks again.
if said == ARGV[4] then return 200 end
if c.rules then
  local code, reason, wait = forbidden(c, uid, member, at)
  if code then return { code, reason, wait } end
end

local number = append(c, ARGV[5])
if edited then forget_edit(log, KEYS[3], KEYS[5], edited, uid, wanted) end
local corrected = ARGV[4] .. behind .. string.format(',"edited":%d', number)
put_middle(log, KEYS[3], KEYS[5], wanted, corrected)
if c.slow then redis.call('HSET', c.meta, 's' .. uid, at) end
close(c, ARGV[6], ARGV[7])
return 200
