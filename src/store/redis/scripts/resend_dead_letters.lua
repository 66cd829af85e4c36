-- Makes dead letters pending again, at the end of their queues, in their original order. They are pending since now: by
-- the time of the event they would be the first ones to become dead letters again, and the webhook would lag by days.
-- KEYS    1..9 as in webhooks.lua
-- ARGV    1 an event, or ''   2 otherwise, the time (ms) since which they became dead letters   3 maximum number
--         4 maximum number of pending events: only a single dead letter is added beyond it
-- returns the number of dead letters that are pending again
-- cost    O(log n) per dead letter
local ids, resent = {ARGV[1]}, {}
if ARGV[1] == '' then
  local room = math.max(0, ARGV[4] - redis.call('ZCARD', pending))
  ids = redis.call('ZRANGEBYSCORE', dead, ARGV[2], '+inf', 'LIMIT', 0, math.min(ARGV[3], room))
end
for _, id in ipairs(ids) do
  local text = redis.call('HGET', dead_letters, id)
  if text then
    local number, queue, record = string.match(text, '^.-\n.-\n(.-)\n(.-)\n(.*)$')
    resent[#resent + 1] = {id = id, queue = queue, time = format_millis(server_now), record = record, number = number}
  end
end
if #resent == 0 then
  return 0
end
table.sort(resent, function(a, b) return a.number < b.number end)
-- First the copy: if memory is full, nothing changes.
insert_events(resent)
for _, event in ipairs(resent) do
  redis.call('HDEL', dead_letters, event.id)
  redis.call('ZREM', dead, event.id)
end
return #resent
