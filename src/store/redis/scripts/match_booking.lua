-- Finds the newest booking of a number that matches a call.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 code or ''   2 '' or a booking: only older ones match
--         3.. three lists, each preceded by its length: regions that the call was parsed with, dialed
--         subscribers, callers (none: any; the first one that has a booking is used)
-- returns {1, booking, service}
--         {0, expired} no match; the number of expired bookings that fit otherwise
--         {4} call again: 100 expired bookings were found, of which some fit otherwise
--         {4, region ...} parse the call with these regions too and call again: numbers that were
--         parsed with them may be booked
-- cost    O(log n) per subscriber and caller, and per expired booking that was found; those are released,
--         at most 100 per call
local code, before, next_arg = ARGV[1], ARGV[2], 3
if before == '' then
  before = nil
end
local function read_list()
  local first = next_arg + 1
  next_arg = first + ARGV[next_arg]
  return {unpack(ARGV, first, next_arg - 1)}
end
local known_regions, dialed_numbers, callers = read_list(), read_list(), read_list()
if #callers == 0 then
  callers[1] = ''
end

local retry_reply, recorded = {4}, redis.call('HGETALL', regions)
for i = 1, #recorded, 2 do
  local is_known = tonumber(recorded[i + 1]) <= server_now
  for _, region in ipairs(known_regions) do
    is_known = is_known or region == recorded[i]
  end
  if not is_known then
    retry_reply[#retry_reply + 1] = recorded[i]
  end
end
if #retry_reply > 1 then
  return retry_reply
end

local expired, expired_fits = 0, 0
local function is_active(id, caller)
  if tonumber(redis.call('ZSCORE', booked, id) or 0) > server_now then
    return true
  end
  local released = release_booking(id, 'l')
  expired = expired + 1
  if released and (caller == '' or caller == released.caller) then
    expired_fits = expired_fits + 1
  end
  return false
end

-- Returns the newest booking of one number and caller that is active, unless 100 expired ones were found.
local function newest_for(dialed, caller)
  if code ~= '' then
    local id = redis.call('HGET', codes, dialed .. '\n' .. code)
    local booking = id and not (before and id >= before) and is_active(id, caller) and read_booking(id)
    return booking and (caller == '' or booking.caller == caller) and booking or nil
  end
  local prefix, id = 'n\n' .. dialed, before
  if caller ~= '' then
    prefix = 'p\n' .. dialed .. '\n' .. caller
  end
  while expired < 100 do
    local entry = newest_entry(prefix, id)
    if not entry then
      return nil
    end
    id = string.sub(entry, #prefix + 2)
    if is_active(id, caller) then
      return read_booking(id)
    end
  end
end

for _, caller in ipairs(callers) do
  local found
  for _, dialed in ipairs(dialed_numbers) do
    local booking = newest_for(dialed, caller)
    if booking and (not found or booking.id > found.id) then
      found = booking
    end
  end
  if expired >= 100 then
    return {4}
  end
  if found then
    return {1, found.id, found.service}
  end
end
return {0, tostring(expired_fits)}
