-- Shared by the account scripts: the store's clock and what a device's entry holds.

local FIELDS = { 'name', 'password', 'sex', 'created', 'lastSeen' }

-- Milliseconds since 1970, as text: Lua would write 14 digits of a number at most.
local function now()
  local t = redis.call('TIME')
  return t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000))
end

-- An entry of a user's devices: when the device came, when it was last in use, its token.
local function entry(since, last, token)
  return since .. ':' .. last .. ':' .. token
end

local function parts(value)
  return string.match(value, '^(%d+):(%d+):(%x*)$')
end

-- The device was in use just now: its token lives on.
local function used(devices, device, tokens, life, time)
  local value = redis.call('HGET', devices, device)
  if value then
    local since, _, token = parts(value)
    redis.call('HSET', devices, device, entry(since, time, token))
    redis.call('PEXPIRE', tokens .. token, life)
  end
end

-- End the token of a device and forget it. Until somebody logs in with the password an entry without
-- a token says so to servers that were not there to hear it; a full store does without.
local function forget(devices, device, value, tokens)
  local since, last, token = parts(value)
  redis.call('DEL', tokens .. token)
  local kept = redis.pcall('HSET', devices, device, entry(since, last, ''))
  if type(kept) == 'table' then redis.call('HDEL', devices, device) end
end

local function is_forgotten(value)
  local _, _, token = parts(value)
  return token == ''
end

-- Forget all devices but one; `keep` '' keeps none.
local function forget_all(devices, keep, tokens)
  local all = redis.call('HGETALL', devices)
  for i = 1, #all, 2 do
    if keep == '' or all[i] ~= keep then forget(devices, all[i], all[i + 1], tokens) end
  end
end
