-- Adds numbers to a group, or removes them.
-- KEYS    1..9 as in bookings.lua   10 quarantined, as in quarantine_number.lua
-- ARGV    1 'add' or 'remove'   2.. their version, 'exclusive', 'round_robin' or 'random', then number, subscriber,
--         position in the group ...; or the numbers to remove
-- returns 1
-- cost    O(log n) per number, and per booking of a number whose spelling changes; O(quarantined numbers)
--         Existing bookings remain; a removed number does not become free again. Quarantined numbers are not added.
local quarantined = KEYS[10]
if ARGV[1] == 'remove' then
  for i = 2, #ARGV do
    redis.call('HDEL', numbers, ARGV[i])
    redis.call('ZREM', free, ARGV[i])
  end
  return 1
end
-- Until all numbers are added, numbers parsed with the old and the new region may be booked.
local old_version, region = redis.call('GET', version), string.match(ARGV[2], '@%u%u$')
if old_version and region and not string.find(old_version, region, 1, true) then
  redis.call('SET', version, old_version .. region)
end
local entries, subscribers = {}, {}
local all_quarantined = redis.call('HGETALL', quarantined)
for i = 1, #all_quarantined, 2 do
  local entry = all_quarantined[i + 1]
  entries[all_quarantined[i]] = entry
  subscribers[string.match(entry, '^[^\n]*')] = all_quarantined[i]
end

-- Whether the number is quarantined. It may have another spelling now or, with another region, another subscriber.
local function keep_quarantine(number, subscriber)
  local known = entries[subscriber] and subscriber or subscribers[number]
  if not known then
    return false
  end
  redis.call('HSET', quarantined, subscriber, number .. string.match(entries[known], '\n.*'))
  if known ~= subscriber then
    redis.call('HDEL', quarantined, known)
  end
  redis.call('HDEL', numbers, number)
  redis.call('ZREM', free, number)
  return true
end

local is_shared = ARGV[3] ~= 'exclusive'
for i = 4, #ARGV, 3 do
  local number, subscriber = ARGV[i], ARGV[i + 1]
  local prefix = 'n\n' .. subscriber
  local is_quarantined = keep_quarantine(number, subscriber)
  local is_new = not is_quarantined and redis.call('HSET', numbers, number, subscriber) == 1
  -- A shared number remains free while it is booked.
  if not is_quarantined and (is_new or is_shared and not redis.call('ZSCORE', free, number)) then
    local is_booked = newest_entry(prefix)
    if is_shared or not is_booked then
      redis.call('ZADD', free, 'NX', is_booked and server_now or ARGV[i + 2], number)
    end
  end
  if is_quarantined or is_new then
    -- Existing bookings release the number in its current spelling.
    local entries = redis.call('ZRANGEBYLEX', index, '[' .. prefix .. '\n', '(' .. prefix .. '\n\255')
    for _, entry in ipairs(entries) do
      local booking = read_booking(string.match(entry, '[^\n]*$'))
      booking.number, booking.subscriber = number, subscriber
      save_booking(booking)
    end
  end
end
return 1
