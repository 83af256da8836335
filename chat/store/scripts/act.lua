-- needs: log conversation rules belonging edited
-- Set a room's topic, or take the text of an entry away: both are entries themselves.
--
-- KEYS   1 generation  2 meta  3 log  4 members  5 apart 6 the user's account
--        7 audit of administrators  8 audit of what was done in rooms
-- ARGV   1 `topic` or `redact`  2 user id  3 topic, or number of the entry  4 1 when everybody is a
--        member  5 record  6 channel  7 second channel or ''  8 conversation id  9 user name
--        10 what the key of every account starts with
-- Result 200, 403 not allowed, 404 no such conversation or entry
local c = open(KEYS[2], KEYS[3], redis.call('GET', KEYS[1]) or '0', now())
if not c then return 404 end
local member = redis.call('HGET', KEYS[4], ARGV[2])
local rank = rank_of(ARGV[2], member, KEYS[6])
if string.sub(ARGV[8], 1, 2) == 'p:' then rank = 0 end
if not member and ARGV[4] ~= '1' and rank < 3 then return -shut(c) end

if ARGV[1] == 'topic' then
  if rank < 1 then return 403 end
  redis.call('HSET', KEYS[2], 'topic', ARGV[3])
else
  local wanted = tonumber(ARGV[3])
  if wanted < readable_from(c, member) or wanted > c.seq then return 404 end
  local log = log_reader()
  local kept = log.entries(KEYS[3], KEYS[5], wanted, wanted)[wanted]
  local uid, middle = log.sender_of(kept or '')
  if not uid then return 404 end
  if uid ~= ARGV[2] then
    local theirs = redis.call('HGET', KEYS[4], uid)
    -- The account's key is known here only: a single store, or one tag.
    if rank <= rank_of(uid, theirs, ARGV[10] .. uid .. '}') then return 403 end
  end
  -- Only messages carry text of people; what happened in the room stays on record. What corrected a
  -- message goes with it.
  if string.sub(kept, middle, middle + 6) == '"kind":' then return 403 end
  if uid ~= ARGV[2] then
    audit(KEYS[7], KEYS[8], rank, ARGV[2], ARGV[9], 'redact', ARGV[8], uid, 0, ARGV[3])
  end
  local _, _, _, edited = message_of(log, kept)
  if edited then forget_edit(log, KEYS[3], KEYS[5], edited, uid, wanted) end
  log.take_away(KEYS[3], KEYS[5], wanted)
end
append(c, ARGV[5])
close(c, ARGV[6], ARGV[7])
return 200
