-- Adds events to an endpoint, except for those that are pending or dead letters, or were delivered in the last minutes.
-- KEYS    1..9 as in webhooks.lua
-- ARGV    1 maximum number of pending events: the oldest beyond it become dead letters, at most 500
--         per call   2 maximum number of dead letters
--         3.. event, queue, time (ms), record ...
-- returns the number of added events
-- cost    O(log n) per event
local ids, new, seen = {}, {}, {}
for i = 3, #ARGV, 4 do
  ids[#ids + 1] = ARGV[i]
end
local known, letters = redis.call('HMGET', events, unpack(ids)), redis.call('HMGET', dead_letters, unpack(ids))
for i, id in ipairs(ids) do
  if not known[i] and not letters[i] and not seen[id] and not redis.call('ZSCORE', done, id) then
    seen[id] = true
    local first = 4 * i - 1
    new[#new + 1] = {id = id, queue = ARGV[first + 1], time = ARGV[first + 2], record = ARGV[first + 3]}
  end
end
if #new == 0 then
  return 0
end
allow_writes()
insert_events(new)
local excess = redis.call('ZCARD', pending) - ARGV[1]
if excess > 0 then
  for _, id in ipairs(redis.call('ZRANGE', pending, 0, math.min(excess, 500) - 1)) do
    make_dead(id, nil, 'too many pending events', ARGV[2])
  end
end
return #new
