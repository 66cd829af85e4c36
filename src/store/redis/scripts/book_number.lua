-- Books a number of a group, and releases a few expired bookings.
-- KEYS    1..9 as in bookings.lua   with subscriptions: 10 exhausted  hash  endpoint -> time (ms) of its last
--         `number.exhausted`
-- ARGV    1 now (ms)   2 expiration of the booking (ms)   3 its latest possible expiration (ms)
--         4 booking   5 service   6 caller or ''   7 'exclusive', 'round_robin' or 'random'
--         8 backup number or ''   9 its subscriber   10 region that the caller and the backup number
--         were parsed with, or ''   11 1 if a code is required
--         12 '' or the subscriptions, as in bookings.lua   13 1 if no other codes are tried   14.. codes to choose from
-- returns {1, number, code or '', size, free} booked | {0, ms until one may be free} no number is free
--         {4} the group has no numbers yet | {5} none of the codes is free for the numbers tried
-- cost    O(log n)
local now, service, kind = server_now, ARGV[5], ARGV[7]
local offset = clock_offset(ARGV[1])
local expires_at, max_until = ARGV[2] + offset, ARGV[3] + offset
if redis.call('EXISTS', version) == 0 then
  return {4}
end
local size = redis.call('HLEN', numbers)
local function result(number, code)
  local available = redis.call('ZCARD', free)
  if kind == 'exclusive' then -- expired bookings count as free
    available = math.min(size, available + redis.call('ZCOUNT', booked, '-inf', now))
  end
  return {1, number, code, tostring(size), tostring(available)}
end
local existing = read_booking(ARGV[4])
if existing then -- a retry: the first reply was lost, or a repetition of a create
  if tonumber(existing.max_until) < max_until then
    existing.max_until = format_millis(max_until)
    save_booking(existing)
    redis.call('ZADD', booked, format_millis(expires_at), existing.id)
  end
  return result(existing.number, existing.code)
end
reclaim(now, 8)

local function code_for(subscriber)
  if ARGV[11] ~= '1' then
    return ''
  end
  for i = 14, #ARGV do
    if redis.call('HEXISTS', codes, join_lines(subscriber, ARGV[i])) == 0 then
      return ARGV[i]
    end
  end
end

-- Returns a number, its subscriber and a code; or nil, and true if only codes were missing.
local function pick_exclusive()
  while true do
    local number = redis.call('ZRANGE', free, 0, 0)[1]
    if not number then
      return nil
    end
    redis.call('ZREM', free, number)
    local subscriber = redis.call('HGET', numbers, number)
    -- Otherwise it left the group, or is still booked from when the group was shared; a release adds it
    -- again.
    if subscriber and not newest_entry(join_lines('n', subscriber)) then
      return number, subscriber, code_for(subscriber)
    end
  end
end

local function pick_shared()
  for _ = 1, 5 do
    local number
    if kind == 'random' then
      number = redis.call('ZRANDMEMBER', free)
    else
      number = redis.call('ZRANGE', free, 0, 0)[1]
    end
    if not number then
      return nil
    end
    redis.call('ZADD', free, now, number)
    local subscriber = redis.call('HGET', numbers, number)
    local code = subscriber and code_for(subscriber)
    if not subscriber then
      redis.call('ZREM', free, number)
    elseif code then
      return number, subscriber, code
    end
  end
  return nil, true
end

-- At most once a minute for each endpoint.
local function write_exhausted_events()
  if ARGV[12] == '' then
    return
  end
  -- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
  redis.call('HDEL', KEYS[10], '')
  write_number_events('o', ARGV[12], time[1] .. '.' .. time[2], {}, function(endpoint)
    if now - (redis.call('HGET', KEYS[10], endpoint) or 0) < 60000 then
      return false
    end
    redis.call('HSET', KEYS[10], endpoint, now)
    redis.call('PEXPIRE', KEYS[10], 60000)
    return true
  end)
end

-- None of the codes is free. With other codes the caller tries again.
local function codes_taken()
  if ARGV[13] == '1' then
    write_exhausted_events()
  end
  return {5}
end

local number, subscriber, code
if kind == 'exclusive' then
  number, subscriber, code = pick_exclusive()
else
  number, subscriber, code = pick_shared()
  if not number and subscriber and ARGV[8] == '' then
    return codes_taken()
  end
end
if not number and ARGV[8] ~= '' then
  number, subscriber, code = ARGV[8], ARGV[9], code_for(ARGV[9])
  if not code then
    return codes_taken()
  end
end
if not number then
  write_exhausted_events()
  local next_expiry = redis.call('ZRANGE', booked, 0, 0, 'WITHSCORES')[2]
  return {0, tostring(math.max(0, (tonumber(next_expiry) or now + 1000) - now))}
end

-- Records a region until the latest expiration of the booking, plus a minute to avoid a write per
-- booking.
local function record_region(region)
  if (tonumber(redis.call('HGET', regions, region)) or 0) >= max_until then
    return
  end
  redis.call('HSET', regions, region, format_millis(max_until + 60000))
  local recorded = redis.call('HGETALL', regions)
  for i = 1, #recorded, 2 do
    if tonumber(recorded[i + 1]) <= now then
      redis.call('HDEL', regions, recorded[i])
    end
  end
end

local id, caller = ARGV[4], ARGV[6]
local booking = {
  id = id, number = number, subscriber = subscriber, service = service, code = code, caller = caller,
  max_until = format_millis(max_until), hooks = ARGV[12]
}
save_booking(booking)
redis.call('ZADD', booked, format_millis(expires_at), id)
redis.call('ZADD', index, 0, join_lines('n', subscriber, id))
if ARGV[10] ~= '' then
  record_region(ARGV[10])
end
for region in string.gmatch(redis.call('GET', version), '@(%u%u)') do
  record_region(region)
end
if caller ~= '' then
  redis.call('ZADD', index, 0, join_lines('p', subscriber, caller, id))
end
if code ~= '' then
  redis.call('HSET', codes, join_lines(subscriber, code), id)
end
if ARGV[12] ~= '' then
  write_number_events('b', ARGV[12], id, booking)
end
return result(number, code)
