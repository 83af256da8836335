-- Count up, and notice a store that knows less than it once did (a restored backup, an older file)
-- or may do so: a replica that has taken over, of which nobody knows how far it was behind, or a
-- store whose machine was started again, and which is on its disk only once a second.
--
-- KEYS   1 the tide  2 generation  3 the store that the generation belongs to: its replication id
--        its run id, and which start of its machine it was if one knows, divided by spaces
-- ARGV   1 the highest count that the caller has seen  2 something random  3 the highest count of
--        the generation that the caller has seen  4 may the store lack something when its machine
--        lost power: 1 or 0; '' the caller does not know yet  5 the run whose process the caller
--        saw end, while its machine went on, or ''  6 which start of its machine this is, where the
--        caller is on the same, or ''
-- Result {count, why the generation was raised: 0 it was not, 1 the store went back, 2 another
--        store has taken over, 3 its machine may have lost power; the generation or ''; its run id}

-- One that took over remembers the replication id of its predecessor as well.
local function another()
  local ok, replication = pcall(redis.call, 'INFO', 'replication')
  local too, server = pcall(redis.call, 'INFO', 'server')
  local id = ok and string.match(replication, 'master_replid:(%x+)')
  local run = too and string.match(server, 'run_id:(%x+)')
  if not id or not run then return 0, '' end
  local forgets, ended, boot = ARGV[4], ARGV[5], ARGV[6]
  local known = redis.call('GET', KEYS[3])
  local its_id, its_run, its_boot = string.match(known or '', '^(%x+) ?(%x*) ?(%S*)$')
  local again = its_id and its_run ~= '' and its_run ~= run
  local follows = its_id and its_id ~= id and not string.match(replication, 'master_replid2:0+%s')
  local rebooted = again and ended ~= its_run
  if again and boot ~= '' and its_boot ~= '' then rebooted = boot ~= its_boot end
  if rebooted and not follows and forgets == '' then return 0, run end
  if boot == '' and not again then boot = its_boot or '' end
  local now = id .. ' ' .. run .. ' ' .. boot
  if now ~= known then redis.call('SET', KEYS[3], now) end
  return follows and 2 or rebooted and forgets == '1' and 3 or 0, run
end

local count = redis.call('INCR', KEYS[1])
local seen = tonumber(ARGV[1])
local old = redis.call('GET', KEYS[2])
local why, run = another()
if why == 0 and count <= seen then why = 1 end
if why == 0 then return { count, 0, old or '', run } end
-- Far above what any other server can have seen: they need not raise it again.
count = math.max(count, seen) + 1000000
redis.call('SET', KEYS[1], count)
local number = math.max(old and tonumber(string.match(old, '^%d+')) or 0, tonumber(ARGV[3]))
local new = (number + 1) .. '.' .. ARGV[2]
redis.call('SET', KEYS[2], new)
return { count, why, new, run }
