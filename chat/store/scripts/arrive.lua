-- needs: log conversation rules standing presence
-- A user comes in: is seen, and told where all that is theirs stands.
--
-- KEYS   1 to 5 as `presence_enter` has them  6 generation  7 account  8 the user's conversations
--        9 the user's marks  10 the token, or the account again
-- ARGV   1 to 9 as `presence_enter` has them  10 how many conversations are described at most
--        11 conversation ids that come first and are in nobody's list, separated by spaces
--        12 what every conversation's key starts with  13 what every account's key starts with
--        14 the password that the user, or who gave the user the token, has proven to know
--        15 devices of the user that may be online, 0 for any number
--        16 the user's channel  17 what the device's other sessions are told
-- Result {-1} the account is suspended, {-2} its password or the token has ended meanwhile, {-3} as
--        many other devices are online as may be; else
--        {1 or 0 as `presence_enter`, {ids of the rooms on the list that were not described, and of
--         which the user is a member}, more conversations (1 or 0),
--         {id, mark or '', the name of a private conversation's other user or '', what `stands`
--          tells}, ...}
local account = redis.call('HMGET', KEYS[7], 'suspended', 'password')
if account[1] and left_of(account[1], now()) then return { -1 } end
-- Who ends sessions ends those that listen by then: whoever is on the way comes too late here.
if (account[2] or '') ~= ARGV[14] or redis.call('EXISTS', KEYS[10]) == 0 then return { -2 } end
-- Those that come at the same moment see each other here.
local most = tonumber(ARGV[15])
if most > 0 and redis.call('HLEN', KEYS[5]) >= most then
  local devices, count = {}, 0
  for _, value in ipairs(redis.call('HVALS', KEYS[5])) do
    local device = string.sub(value, 2)
    if not devices[device] then devices[device], count = true, count + 1 end
  end
  if count >= most and not devices[ARGV[6]] then return { -3 } end
end
-- Here, in one step with coming in: of those that come at the same moment the last one stays.
local me, before = ARGV[3] .. '/' .. ARGV[4], ARGV[3] .. '/' .. ARGV[9]
local sessions = redis.call('HGETALL', KEYS[5])
for i = 1, #sessions, 2 do
  if string.sub(sessions[i + 1], 2) == ARGV[6] and sessions[i] ~= me and sessions[i] ~= before then
    redis.call('PUBLISH', ARGV[16], ARGV[17])
    break
  end
end
local user, gen = ARGV[1], redis.call('GET', KEYS[6]) or '0'
local done = enter(KEYS, ARGV)
local ids, more = listed(KEYS[8], 0, tonumber(ARGV[10]), ARGV[11])
local _, always = string.gsub(ARGV[11], '%S+', '')
local rooms, known = {}, {}
local result = { done, rooms, more }
for i, id in ipairs(ids) do
  local key, name = ARGV[12] .. id .. '}:', ''
  local one, other = string.match(id, '^p:(%d+):(%d+)$')
  if one then
    local partner = one == user and other or one
    name = redis.call('HGET', ARGV[13] .. partner .. '}', 'name') or ''
  end
  known[id] = true
  local members = not one and key .. 'members'
  result[3 + i] = {
    id, redis.call('HGET', KEYS[9], id) or '', name,
    stands(key .. 'meta', key .. 'log', members, gen, user, true, i <= always),
  }
end
if more == 1 then
  -- Rooms have no time: their score is 0.
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], 0, 0)) do
    if not known[id] and redis.call('HEXISTS', ARGV[12] .. id .. '}:members', user) == 1 then
      rooms[#rooms + 1] = id
    end
  end
end
return result
