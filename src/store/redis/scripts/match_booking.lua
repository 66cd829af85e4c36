-- Finds the newest booking of a number that fits a call.
-- KEYS  1..8 as in bookings.lua
-- ARGV  1 code or ''   2 '' or a booking: only those older than it count
--       3.. three lists, each with its length in front: regions under which the call was read,
--       subscribers that were dialled, callers (none: any; the first one that has a booking counts)
-- gives {1, booking, service} | {0} none fits | {4} ask again
--       {4, region ...} ask again with the call read under these regions too: numbers that were read
--       under them may be booked
-- cost  O(log n) for each subscriber and caller, and for each booking that has run out and was in the
--       way; those are given back, at most 100 at a time
local now, code = server_now, ARGV[1]
local before = ARGV[2] ~= '' and ARGV[2] or nil
local at = 3
local function list()
  local length, values = tonumber(ARGV[at]), {}
  for i = 1, length do
    values[i] = ARGV[at + i]
  end
  at = at + length + 1
  return values
end
local read_under = {}
for _, region in ipairs(list()) do
  read_under[region] = true
end
local all_dialled, callers = list(), list()
if #callers == 0 then
  callers = {''}
end

local others, noted = {4}, redis.call('HGETALL', regions)
for i = 1, #noted, 2 do
  if tonumber(noted[i + 1]) > now and not read_under[noted[i]] then
    others[#others + 1] = noted[i]
  end
end
if #others > 1 then
  return others
end

local function candidate_of(dialled, caller)
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
local function candidate()
  for _, caller in ipairs(callers) do
    local found
    for _, dialled in ipairs(all_dialled) do
      local b = candidate_of(dialled, caller)
      if b and (not found or b.id > found.id) then
        found = b
      end
    end
    if found then
      return found
    end
  end
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
