-- Removes relayed events from an outbox.
-- KEYS    1 events:{id} or grp:{group}:events
-- ARGV    1 maximum number of events that were read   2.. records
-- returns 1 if the outbox was full, so that events may have been dropped, else 0; see events.lua
-- cost    O(events that were read): those that another replica has removed are not searched in a long list
local is_full, relayed = #redis.call('LRANGE', KEYS[1], 99999, 99999), {}
for i = 2, #ARGV do
  relayed[ARGV[i]] = true
end
for _, record in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  if relayed[record] then
    redis.call('LREM', KEYS[1], 1, record)
  end
end
return is_full
