-- Books a number of a group.
-- KEYS    1..9 as in bookings.lua   with subscriptions: 10 exhausted  hash  endpoint -> time (ms) of its last
--         `number.exhausted`
-- ARGV    1 now (ms)   2 expiration of the booking (ms)   3 its latest possible expiration (ms)
--         4 booking   5 service   6 caller or ''   7 'exclusive', 'round_robin' or 'random'
--         8 backup number or ''   9 its subscriber   10 region that the caller and the backup number
--         were parsed with, or ''   11 1 if a code is required
--         12 '' or the subscriptions, as in bookings.lua
--         13 1 in the last attempt: expired bookings have been released, and no other codes are tried
--         14 1 if the reply contains counts   15.. codes to choose from
-- returns {1, number, code or ''} booked | {1, number, code or '', size, free} with counts
--         {0, ms until the first booking expires} no number is free; before the last attempt, 0 ms means that one may be
--         free after a release of expired bookings
--         {4} the group has no numbers yet | {5} none of the codes is free for the numbers tried
-- cost    O(log n)
-- With subscriptions, events.lua and booking_events.lua precede this script.
local id, caller, kind = ARGV[4], ARGV[6], ARGV[7]
local offset = clock_offset(ARGV[1])
local expires_at, max_until = to_server_time(ARGV[2], offset), to_server_time(ARGV[3], offset)
local known_version = redis.call('GET', version)
if not known_version then
  return {4}
end

local function booked_reply(number, code)
  if ARGV[14] ~= '1' then
    return {1, number, code}
  end
  local size, available = redis.call('HLEN', numbers), redis.call('ZCARD', free)
  if kind == 'exclusive' then -- expired bookings count as free
    available = math.min(size, available + redis.call('ZCOUNT', booked, '-inf', server_now))
  end
  return {1, number, code, tostring(size), tostring(available)}
end

-- First, because it allocates: if memory is full, Redis rejects a script whose first write does, but not later writes.
if redis.call('ZADD', booked, 'NX', expires_at, id) == 0 then
  local existing = read_booking(id)
  if existing then -- a retry: the first reply was lost, or a repetition of a create
    if tonumber(existing.max_until) < tonumber(max_until) then
      existing.max_until = max_until
      save_booking(existing)
      redis.call('ZADD', booked, expires_at, id)
    end
    return booked_reply(existing.number, existing.code)
  end
  redis.call('ZADD', booked, expires_at, id)
end

-- Takes the first code that is free for a subscriber; returns '' if none is required, and nil if none is free.
local function take_code(subscriber)
  if ARGV[11] ~= '1' then
    return ''
  end
  for i = 15, #ARGV do
    local field = subscriber .. '\n' .. ARGV[i]
    if redis.call('HEXISTS', codes, field) == 0 then
      redis.call('HSET', codes, field, id)
      return ARGV[i]
    end
  end
end

-- Each of these returns a number, its subscriber and a code; nil if no number is free; or without a code if none is free.
local function take_exclusive()
  while true do
    local number = redis.call('ZRANGE', free, 0, 0)[1]
    if not number then
      return nil
    end
    redis.call('ZREM', free, number)
    local subscriber = redis.call('HGET', numbers, number)
    -- Otherwise it left the group, or is still booked from when the group was shared; a release adds it
    -- again.
    if subscriber and not newest_entry('n\n' .. subscriber) then
      local code = take_code(subscriber)
      if not code then
        redis.call('ZADD', free, server_now, number)
      end
      return number, subscriber, code
    end
  end
end

local function take_shared()
  local number, subscriber
  for _ = 1, 5 do
    if kind == 'random' then
      number = redis.call('ZRANDMEMBER', free)
    else
      number = redis.call('ZRANGE', free, 0, 0)[1]
    end
    subscriber = number and redis.call('HGET', numbers, number)
    if subscriber then
      redis.call('ZADD', free, server_now, number)
      local code = take_code(subscriber)
      if code then
        return number, subscriber, code
      end
    elseif number then
      redis.call('ZREM', free, number)
    else
      return nil
    end
  end
  return number, subscriber
end

-- At most once a minute for each endpoint.
local function write_exhausted_events()
  if ARGV[12] == '' then
    return
  end
  write_number_events('o', ARGV[12], time[1] .. '.' .. time[2], {}, function(endpoint)
    if server_now - (redis.call('HGET', KEYS[10], endpoint) or 0) < 60000 then
      return false
    end
    redis.call('HSET', KEYS[10], endpoint, server_now)
    redis.call('PEXPIRE', KEYS[10], 60000)
    return true
  end)
end

local number, subscriber, code
if kind == 'exclusive' then
  number, subscriber, code = take_exclusive()
else
  number, subscriber, code = take_shared()
end
-- The backup number comes last: after a release of expired bookings, and after other codes.
local is_last = ARGV[13] == '1'
if not number and not is_last and redis.call('ZCOUNT', booked, '-inf', server_now) > 0 then
  redis.call('ZREM', booked, id)
  return {0, '0'}
end
if not code and ARGV[8] ~= '' and (is_last or not number) then
  number, subscriber, code = ARGV[8], ARGV[9], take_code(ARGV[9])
end
if not code then
  redis.call('ZREM', booked, id)
  if is_last or not number then
    write_exhausted_events()
  end
  if number then
    return {5}
  end
  local next_expiry = redis.call('ZRANGE', booked, 0, 0, 'WITHSCORES')[2]
  return {0, tostring(math.max(0, (tonumber(next_expiry) or server_now + 1000) - server_now))}
end

local booking = {
  id = id, number = number, subscriber = subscriber, service = ARGV[5], code = code, caller = caller,
  max_until = max_until, hooks = ARGV[12]
}
save_booking(booking)
local of_number, of_caller = index_entries(booking)
if of_caller then
  redis.call('ZADD', index, 0, of_number, 0, of_caller)
else
  redis.call('ZADD', index, 0, of_number)
end

-- Records a region until the latest expiration of the booking, plus a minute to avoid a write per
-- booking.
local function record_region(region)
  if (tonumber(redis.call('HGET', regions, region)) or 0) >= tonumber(max_until) then
    return
  end
  redis.call('HSET', regions, region, format_millis(max_until + 60000))
  local recorded = redis.call('HGETALL', regions)
  for i = 1, #recorded, 2 do
    if tonumber(recorded[i + 1]) <= server_now then
      redis.call('HDEL', regions, recorded[i])
    end
  end
end
if ARGV[10] ~= '' then
  record_region(ARGV[10])
end
for region in string.gmatch(known_version, '@(%u%u)') do
  if region ~= ARGV[10] then
    record_region(region)
  end
end
if ARGV[12] ~= '' then
  write_number_events('b', ARGV[12], id, booking)
end
return booked_reply(number, code)
