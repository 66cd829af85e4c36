-- Makes dead letters pending again, at the end of their queues.
-- KEYS    1..8 as in webhooks.lua
-- ARGV    1 an event, or ''   2 otherwise, the time (ms) since which they became dead letters   3 maximum number
-- returns the number of dead letters that are pending again
-- cost    O(log n) per dead letter
local ids, resent = {ARGV[1]}, {}
if ARGV[1] == '' then
  ids = redis.call('ZRANGEBYSCORE', dead, ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])
end
for _, id in ipairs(ids) do
  local text = redis.call('HGET', dead_letters, id)
  if text then
    local queue, record = string.match(text, '^.-\n.-\n(.-)\n(.*)$')
    local time = string.match(record, '"time":(%d+)') or format_millis(server_now)
    resent[#resent + 1] = {id = id, queue = queue, time = time, record = record}
  end
end
if #resent == 0 then
  return 0
end
-- First the copy: if memory is full, nothing changes.
insert_events(resent)
for _, event in ipairs(resent) do
  redis.call('HDEL', dead_letters, event.id)
  redis.call('ZREM', dead, event.id)
end
return #resent
