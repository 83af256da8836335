-- Shared by the scripts that say where a user's conversations stand; needs log, conversation and rules.

-- Which conversations a user is in, rooms and private ones, the newest first: the ids of those from
-- place `rank` on, and 1 when there are more. `first`: ids that come before all and are in nobody's
-- list, separated by spaces.
local function listed(conversations, rank, limit, first)
  local ids, more = {}, 0
  for id in string.gmatch(first, '%S+') do ids[#ids + 1] = id end
  for _, id in ipairs(redis.call('ZREVRANGE', conversations, rank, rank + limit - #ids)) do
    ids[#ids + 1] = id
  end
  if #ids > limit then
    more = 1
    ids[#ids] = nil
  end
  return ids, more
end

local reader  -- of all conversations that are described, when the first one's newest entry is wanted

-- Where a conversation stands, and what it is to a user:
--   {seq, first, epoch, epochFirst, topic, member (role:joined:name) or '', the number of the newest
--    entry, what the log keeps of it or '', rules or ''}, false when there is no such conversation
-- `members`: false of a private conversation, which has no list of them. `newest`: the newest entry is
-- wanted. `make`: it is made if it is missing.
local function stands(meta, log, members, gen, user, newest, make)
  local c = open(meta, log, gen)
  if not c then
    if not make then return false end
    create(meta, gen)
    c = open(meta, log, gen)
  end
  local last, kept
  if newest then
    reader = reader or log_reader()
    last, kept = reader.newest(log, string.sub(meta, 1, -5) .. 'apart', c.seq)
  end
  local member = members and redis.call('HGET', members, user)
  return {
    c.seq, readable_from(c, member), c.epoch, c.epoch_first,
    redis.call('HGET', meta, 'topic') or '', member or '',
    last or 0, kept or '',
    c.rules or '',
  }
end
