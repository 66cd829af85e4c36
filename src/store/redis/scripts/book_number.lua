-- Hands a number of a group out, and gives a few back that have run out.
-- KEYS  1..8 as in bookings.lua
-- ARGV  1 now (ms)   2 when the booking runs out (ms)   3 the longest it may ever hold (ms)
--       4 booking   5 service   6 caller or ''   7 'exclusive', 'turn' or 'random'
--       8 backup number or ''   9 its subscriber   10 region under which caller and backup number
--       were read, or ''   11 1 if a code is wanted   12.. codes to choose from
-- gives {1, number, code or '', size, free} held | {0, ms until one may be free} all are taken
--       {4} the group was never filled | {5} none of these codes is free for the numbers tried
-- cost  O(log n)
local now, service, kind = server_now, ARGV[5], ARGV[7]
local ahead = ahead_of(ARGV[1])
local runs_out, longest = ARGV[2] + ahead, ARGV[3] + ahead
if redis.call('EXISTS', version) == 0 then
  return {4}
end
local size = redis.call('HLEN', numbers)
local function told(number, code)
  local left = redis.call('ZCARD', free)
  if kind == 'exclusive' then -- those that have run out are as good as free
    left = math.min(size, left + redis.call('ZCOUNT', booked, '-inf', now))
  end
  return {1, number, code, tostring(size), tostring(left)}
end
local before = booking_of(ARGV[4])
if before then -- asked a second time: the first answer was lost
  return told(before.number, before.code)
end
reclaim(now, 8)

local function code_for(subscriber)
  if ARGV[11] ~= '1' then
    return ''
  end
  for i = 12, #ARGV do
    if redis.call('HEXISTS', codes, joined(subscriber, ARGV[i])) == 0 then
      return ARGV[i]
    end
  end
end

-- A number, its subscriber and a code; or nil and whether it was for want of a code.
local function exclusive()
  while true do
    local number = redis.call('ZRANGE', free, 0, 0)[1]
    if not number then
      return nil
    end
    redis.call('ZREM', free, number)
    local subscriber = redis.call('HGET', numbers, number)
    -- Else it left the group, or is still shared from when the group was; release puts it back.
    if subscriber and not newest(joined('n', subscriber)) then
      return number, subscriber, code_for(subscriber)
    end
  end
end

local function shared()
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

local number, subscriber, code
if kind == 'exclusive' then
  number, subscriber, code = exclusive()
else
  number, subscriber, code = shared()
  if not number and subscriber and ARGV[8] == '' then
    return {5}
  end
end
if not number and ARGV[8] ~= '' then
  number, subscriber, code = ARGV[8], ARGV[9], code_for(ARGV[9])
  if not code then
    return {5}
  end
end
if not number then
  local first = redis.call('ZRANGE', booked, 0, 0, 'WITHSCORES')[2]
  return {0, tostring(math.max(0, (tonumber(first) or now + 1000) - now))}
end

-- Notes a region for as long as the booking may last; a minute more, so that not each booking writes.
local function note(region)
  if (tonumber(redis.call('HGET', regions, region)) or 0) >= longest then
    return
  end
  redis.call('HSET', regions, region, instant(longest + 60000))
  local noted = redis.call('HGETALL', regions)
  for i = 1, #noted, 2 do
    if tonumber(noted[i + 1]) <= now then
      redis.call('HDEL', regions, noted[i])
    end
  end
end

local id, caller = ARGV[4], ARGV[6]
redis.call('HSET', bookings, id, joined(number, subscriber, service, code, caller, instant(longest)))
redis.call('ZADD', booked, instant(runs_out), id)
redis.call('ZADD', index, 0, joined('n', subscriber, id))
if ARGV[10] ~= '' then
  note(ARGV[10])
end
for region in string.gmatch(redis.call('GET', version), '@(%u%u)') do
  note(region)
end
if caller ~= '' then
  redis.call('ZADD', index, 0, joined('p', subscriber, caller, id))
end
if code ~= '' then
  redis.call('HSET', codes, joined(subscriber, code), id)
end
return told(number, code)
