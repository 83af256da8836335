-- Put private conversations that moved where they belong on their users' lists, the newest first.
--
-- KEYS   for each place on a list: the list
-- ARGV   for each of them: conversation id, time of its last message in ms
-- Result nothing; what is not on a list stays off it, and no time goes back
for i, list in ipairs(KEYS) do
  redis.call('ZADD', list, 'XX', 'GT', ARGV[2 * i], ARGV[2 * i - 1])
end
