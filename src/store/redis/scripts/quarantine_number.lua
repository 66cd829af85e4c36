-- Quarantines a number of a group.
-- KEYS    1..9 as in bookings.lua   10 quarantined  hash  subscriber -> number, its score in `free` or '', time (ms) of
--         the quarantine, user
-- ARGV    1 number   2 subscriber   3 user
-- returns {1} it is quarantined | {0} the group does not have it | {4} the group has no numbers yet
-- cost    O(log n); O(n) if the group has the number in another spelling
-- The number leaves `numbers` and `free`: bookings do not find it, and releases do not make it free.
local number, subscriber, quarantined = ARGV[1], ARGV[2], KEYS[10]
if redis.call('HEXISTS', quarantined, subscriber) == 1 then
  return {1}
end
if redis.call('EXISTS', version) == 0 then
  return {4}
end
if redis.call('HGET', numbers, number) ~= subscriber then
  number = nil
  local all = redis.call('HGETALL', numbers)
  for i = 1, #all, 2 do
    if all[i + 1] == subscriber then
      number = all[i]
    end
  end
end
if not number then
  return {0}
end
local score = redis.call('ZSCORE', free, number) or ''
-- First, because it allocates: if memory is full, Redis rejects a script whose first write does.
redis.call('HSET', quarantined, subscriber, number .. '\n' .. score .. '\n' .. format_millis(server_now) .. '\n' .. ARGV[3])
redis.call('HDEL', numbers, number)
redis.call('ZREM', free, number)
return {1}
