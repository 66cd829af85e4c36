-- Records the results of claimed queues. Delivered events are removed in any case; the rest of a result is ignored if the
-- queue was claimed again.
-- KEYS    1..8 as in webhooks.lua
-- ARGV    1 maximum number of dead letters   then per result: queue, end of its lease (ms), number of delivered events,
--         their positions, and what failed: '' nothing, `after`, `dead` or `stop`; unless it is '' also the ms until the
--         next attempt, the error and the position of the event
-- returns 1
-- cost    O(log n) per event
allow_writes()
local next_arg, delivered, failed, now = 2, 0, 0, format_millis(server_now)
local function read()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end
local function event_of(position)
  return string.match(position, '[^\n]*$')
end
local function record_failure(queue, count, kind, delay, error_text, position)
  failed = failed + 1
  redis.call('HSET', state, 'failure', now, 'error', error_text)
  if kind == 'dead' then
    make_dead(event_of(position), count, error_text, ARGV[1])
    return server_now
  end
  if kind == 'stop' and redis.call('HEXISTS', state, 'stopped') == 0 then
    redis.call('HSET', state, 'stopped', now)
  end
  redis.call('HSET', attempts, queue, count)
  return server_now + delay
end
while next_arg <= #ARGV do
  local queue, lease_end, count = read(), read(), tonumber(read())
  local ids, positions = {}, {}
  for i = 1, count do
    positions[i] = read()
    ids[i] = event_of(positions[i])
  end
  if count > 0 then
    delivered = delivered + count
    redis.call('HDEL', events, unpack(ids))
    redis.call('ZREM', pending, unpack(ids))
    redis.call('ZREM', order, unpack(positions))
  end
  local kind = read()
  local delay, error_text, position
  if kind ~= '' then
    delay, error_text, position = read(), read(), read()
  end
  if tonumber(redis.call('ZSCORE', due, queue) or -1) == tonumber(lease_end) then
    local before, next_due = count == 0 and redis.call('HGET', attempts, queue) or 0, server_now
    if count > 0 then
      redis.call('HDEL', attempts, queue)
    end
    if kind ~= '' then
      next_due = record_failure(queue, before + 1, kind, delay, error_text, position)
    end
    local rest = redis.call('ZRANGEBYLEX', order, '[' .. queue .. '\n', '(' .. queue .. '\n\255', 'LIMIT', 0, 1)
    if #rest > 0 then
      redis.call('ZADD', due, format_millis(next_due), queue)
    else
      redis.call('ZREM', due, queue)
      redis.call('HDEL', attempts, queue)
    end
  end
end
if delivered > 0 then
  add_to_state('delivered', delivered)
  redis.call('HSET', state, 'success', now)
end
if failed > 0 then
  add_to_state('failed', failed)
end
return 1
