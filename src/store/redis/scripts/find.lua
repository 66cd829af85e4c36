-- Finds the newest booking of a number that fits a call.
-- KEYS  1..7 as in bookings.lua
-- ARGV  1 subscriber dialled   2 code or ''   3 caller or ''
--       4 '' or a booking: only those older than it count
-- gives {1, booking, service} | {0} none fits | {4} ask again
-- cost  O(log n) for each booking that has run out and was in the way; those are given back, at most
--       100 at a time
local now, dialled, code, caller = server_now, ARGV[1], ARGV[2], ARGV[3]
local before = ARGV[4] ~= '' and ARGV[4] or nil
local function candidate()
  if code ~= '' then
    local id = redis.call('HGET', codes, joined(dialled, code))
    local b = id and not (before and id >= before) and booking_of(id)
    return b and (caller == '' or b.caller == caller) and b
  end
  local entry
  if caller ~= '' then
    entry = newest(joined('p', dialled, caller), before)
  else
    entry = newest(joined('n', dialled), before)
  end
  return entry and booking_of(string.match(entry, '[^\n]*$'))
end
for _ = 1, 100 do
  local b = candidate()
  if not b then
    return {0}
  end
  local runs_out = tonumber(redis.call('ZSCORE', booked, b.id)) or 0
  if runs_out > now then
    return {1, b.id, b.service}
  end
  release(b.id, now)
end
return {4}
