-- Makes the keys of a group agree again where Redis has lost some of them: it evicted them, or somebody
-- deleted them. What is booked stays booked as far as that is known.
-- KEYS  1..8 as in bookings.lua
-- ARGV  1 'exclusive', 'turn' or 'random'
-- gives how many entries were added or removed
-- cost  O(log n) for each number and each booking of the group
local now, kind, changed, held, held_text = server_now, ARGV[1], 0, {}, {}
local ids = redis.call('HKEYS', bookings)
for _, id in ipairs(ids) do
  local b = booking_of(id)
  if not redis.call('ZSCORE', booked, id) then
    changed = changed + redis.call('ZADD', booked, b.longest, id)
  end
  changed = changed + redis.call('ZADD', index, 0, joined('n', b.subscriber, id))
  if b.caller ~= '' then
    changed = changed + redis.call('ZADD', index, 0, joined('p', b.subscriber, b.caller, id))
  end
  if b.code ~= '' and redis.call('HEXISTS', codes, joined(b.subscriber, b.code)) == 0 then
    changed = changed + redis.call('HSET', codes, joined(b.subscriber, b.code), id)
  end
  held[b.subscriber] = true
  -- It may have been read under another region.
  held_text[b.number] = true
end
for _, id in ipairs(redis.call('ZRANGE', booked, 0, -1)) do
  if redis.call('HEXISTS', bookings, id) == 0 then
    changed = changed + redis.call('ZREM', booked, id)
  end
end
for _, entry in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  if redis.call('HEXISTS', bookings, string.match(entry, '[^\n]*$')) == 0 then
    changed = changed + redis.call('ZREM', index, entry)
  end
end
local coded = redis.call('HGETALL', codes)
for i = 1, #coded, 2 do
  if redis.call('HEXISTS', bookings, coded[i + 1]) == 0 then
    changed = changed + redis.call('HDEL', codes, coded[i])
  end
end
local all = redis.call('HGETALL', numbers)
for i = 1, #all, 2 do
  if kind ~= 'exclusive' or not (held[all[i + 1]] or held_text[all[i]]) then
    changed = changed + redis.call('ZADD', free, 'NX', now, all[i])
  end
end
return changed
