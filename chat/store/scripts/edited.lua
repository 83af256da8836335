-- Shared by the scripts that edit messages, or delete them; needs log.
--
-- An edited message has, behind its content (and what it answers), the number of its newest edit. Only
-- that edit has the text as well: earlier ones have none any more, and neither has any edit of a message
-- that was deleted. So whoever reads the log, from wherever, comes to the present text.

-- What the log keeps of a message: who wrote it; its middle (`chat/store/entries.py`) up to the end of
-- the content; what is behind that; and the number of its newest edit, if there is one. A content ends
-- with a quote, so nothing that somebody says is taken for what is behind it.
-- Returns nil for what is no message.
local function message_of(log, kept)
  local sender, at = log.sender_of(kept)
  if not sender or string.sub(kept, at, at + 6) == '"kind":' then return nil end
  local middle = string.sub(kept, at)
  local edited = string.match(middle, ',"edited":(%d+)$')
  if edited then middle = string.sub(middle, 1, -#edited - 11) end
  local behind = string.match(middle, ',"reply":%d+$') or ''
  return sender, string.sub(middle, 1, #middle - #behind), behind, tonumber(edited)
end

-- Replace the middle of what the log keeps under a number; time, epoch, sender and clientId stay. It is
-- kept apart from then on. Nobody waits for it any more, so the entry's own number takes the place of
-- the server's name and serial: no two entries that are kept apart may be alike.
local function put_middle(log, key, apart, seq, middle)
  local kept = log.entries(key, apart, seq, seq)[seq]
  -- What can't be read says nothing.
  if not kept or not log.sender_of(kept) then return end
  local at = 10 + string.byte(kept, 9)
  local length = string.byte(kept, at + 20)
  local record = struct.pack('>I8I4', 0, seq) .. string.sub(kept, at + 12, at + 20)
    .. struct.pack('>I4', #middle) .. string.sub(kept, at + 25, at + 24 + length) .. middle
  log.take_away(key, apart, seq)
  redis.call('ZADD', apart, seq, string.sub(kept, 1, at - 1) .. record)
end

-- Remove the text from an edit, because the message has a newer one, or is deleted.
local function forget_edit(log, key, apart, seq, sender, target)
  local middle = '"kind":"edit","userId":' .. sender .. string.format(',"target":%d', target)
  put_middle(log, key, apart, seq, middle)
end
