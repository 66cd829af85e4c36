-- Finds the newest booking of a number that matches a call.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 code or ''   2 '' or a booking: only older ones match
--         3.. three lists, each preceded by its length: regions that the call was parsed with, dialed
--         subscribers, callers (none: any; the first one that has a booking is used)
-- returns {1, booking, service} | {0} no match | {4} call again
--         {4, region ...} parse the call with these regions too and call again: numbers that were
--         parsed with them may be booked
-- cost    O(log n) per subscriber and caller, and per expired booking that was found; those are released,
--         at most 100 per call
local now, code = server_now, ARGV[1]
local before = ARGV[2] ~= '' and ARGV[2] or nil
local next_arg = 3
local function read_list()
  local length, values = tonumber(ARGV[next_arg]), {}
  for i = 1, length do
    values[i] = ARGV[next_arg + i]
  end
  next_arg = next_arg + length + 1
  return values
end
local known_regions = {}
for _, region in ipairs(read_list()) do
  known_regions[region] = true
end
local dialed_numbers, callers = read_list(), read_list()
if #callers == 0 then
  callers = {''}
end

local retry_reply, recorded = {4}, redis.call('HGETALL', regions)
for i = 1, #recorded, 2 do
  if tonumber(recorded[i + 1]) > now and not known_regions[recorded[i]] then
    retry_reply[#retry_reply + 1] = recorded[i]
  end
end
if #retry_reply > 1 then
  return retry_reply
end

local function newest_for(dialed, caller)
  if code ~= '' then
    local id = redis.call('HGET', codes, join_lines(dialed, code))
    local booking = id and not (before and id >= before) and read_booking(id)
    return booking and (caller == '' or booking.caller == caller) and booking
  end
  local entry
  if caller ~= '' then
    entry = newest_entry(join_lines('p', dialed, caller), before)
  else
    entry = newest_entry(join_lines('n', dialed), before)
  end
  return entry and read_booking(string.match(entry, '[^\n]*$'))
end
local function newest_match()
  for _, caller in ipairs(callers) do
    local found
    for _, dialed in ipairs(dialed_numbers) do
      local booking = newest_for(dialed, caller)
      if booking and (not found or booking.id > found.id) then
        found = booking
      end
    end
    if found then
      return found
    end
  end
end
for _ = 1, 100 do
  local booking = newest_match()
  if not booking then
    return {0}
  end
  local expires_at = tonumber(redis.call('ZSCORE', booked, booking.id)) or 0
  if expires_at > now then
    return {1, booking.id, booking.service}
  end
  release_booking(booking.id, now, 'l')
end
return {4}
