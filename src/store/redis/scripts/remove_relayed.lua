-- Removes relayed events from an outbox.
-- KEYS    1 events:{id} or grp:{group}:events
-- ARGV    1 maximum number of events that were read   2.. records
-- returns the number of events that were dropped for the removed ones, see events.lua: it counts each of them once
-- cost    O(events that were read): those that another replica has removed are not searched in a long list
local relayed, dropped = {}, 0
for i = 2, #ARGV do
  relayed[ARGV[i]] = true
end
for _, record in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  -- User data may contain the text, too. An unreadable record is removed as it is.
  if relayed[record] and redis.call('LREM', KEYS[1], 1, record) == 1 and string.find(record, '"dropped":', 1, true) then
    local is_readable, event = pcall(cjson.decode, record)
    dropped = dropped + (is_readable and event.dropped or 0)
  end
end
return dropped
