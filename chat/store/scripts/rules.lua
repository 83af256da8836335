-- Shared by the scripts that judge by a conversation's rules. Most have none: `open` sees that by
-- the field `rules` of meta, which it reads with the numbers, and nothing else is looked up.
--
--   rules   of a room `<slow mode, ms>:<1 when private>:<floor>`: those who come see nothing of a
--           public room up to its floor, where it was private
--           of a private conversation `x:<user id>:<user id>:`, those who blocked the other; 0 when
--           one of the two was deleted
--   m<id>   of a user who may not write  `<until, ms, 0 without end>:<since>:<by>:<name>`
--   b<id>   the same of one who may not be in the room, nor write to the lobby
--   i<id>   the same of one who may join although the room is private
--   s<id>   when a user last wrote, in slow mode

local function is_private(c)
  return c.rules and string.match(c.rules, '^%d+:1') ~= nil
end

-- What somebody who may not see the room is told: of a private one, that there is none.
local function shut(c)
  return is_private(c) and -404 or -403
end

-- Since which number a member (as `members` has them) may read. One of before a room was public
-- keeps what they could read then.
local function readable_from(c, member)
  local floor = c.rules and tonumber(string.match(c.rules, '^%d+:%d:(%d+)'))
  if not floor or not member then return c.first end
  local joined = tonumber(string.match(member, '^%a+:(%d+)'))
  if not is_private(c) then joined = math.min(joined, floor + 1) end
  return math.max(c.first, joined)
end

-- How many ms of `until` are left: 0 without end, nil when it is over, or nothing was set.
local function left_of(value, at)
  local over = value and tonumber(string.match(value, '^%d+'))
  if over == 0 then return 0 end
  return over and over > at and over - at or nil
end

-- Why a user may not write to a conversation with rules: code, reason, and for how many ms.
local function forbidden(c, uid, member, at)
  if string.sub(c.rules, 1, 1) == 'x' then
    if string.find(c.rules, ':0:', 1, true) then return -404, '', 0 end
    return -403, string.find(c.rules, ':' .. uid .. ':', 1, true) and 'blocking' or 'blocked', 0
  end
  local found = redis.call('HMGET', c.meta, 'm' .. uid, 'b' .. uid, 's' .. uid)
  local muted, banned = left_of(found[1], at), left_of(found[2], at)
  if banned then return -403, 'banned', banned end
  if muted then return -403, 'muted', muted end
  local slow = tonumber(string.match(c.rules, '^%d+'))
  local role = member and string.match(member, '^%a+')
  if slow > 0 and role ~= 'owner' and role ~= 'moderator' then
    c.slow = true
    local wrote = tonumber(found[3]) or 0
    local wait = wrote + slow - at
    -- Not 429: that would hold up what they write elsewhere as well. And who wrote later than now
    -- does not wait until it is that late again: the clock was set back.
    if wait > 0 and wrote <= at then return -403, 'slow-mode', wait end
  end
  return nil
end
