-- Records the results of claimed queues. Delivered events are removed in any case; the rest of a result is ignored if the
-- queue was claimed again.
-- KEYS    1..9 as in webhooks.lua
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
-- Records a failure of the first event of a queue, and returns when the queue is due.
local function record_failure(queue, count, kind, delay, error_text, position)
  failed = failed + 1
  redis.call('HSET', state, 'failure', now, 'error', error_text)
  if kind == 'stop' and redis.call('HEXISTS', state, 'stopped') == 0 then
    redis.call('HSET', state, 'stopped', now)
  end
  -- Too many pending events made it a dead letter meanwhile: the failure is none of the next event.
  if first_position(queue) ~= position then
    return server_now
  end
  if kind == 'dead' then
    make_dead(event_of(position), count, error_text, ARGV[1])
    return server_now
  end
  local retry_at = format_millis(server_now + delay)
  redis.call('HSET', attempts, queue, join_lines(format_millis(count), retry_at))
  return tonumber(retry_at)
end
-- Removes delivered events, and remembers them for ten minutes, at most 50,000.
local function remove_delivered(ids, positions)
  local times = {}
  for _, id in ipairs(ids) do
    times[#times + 1] = now
    times[#times + 1] = id
  end
  local removed = redis.call('HDEL', events, unpack(ids))
  redis.call('ZREM', pending, unpack(ids))
  redis.call('ZREM', order, unpack(positions))
  -- Too many pending events may have made them dead letters meanwhile.
  redis.call('ZREM', dead, unpack(ids))
  delivered = delivered + removed + redis.call('HDEL', dead_letters, unpack(ids))
  redis.call('ZADD', done, unpack(times))
end
while next_arg <= #ARGV do
  local queue, lease_end, count = read(), read(), tonumber(read())
  local ids, positions = {}, {}
  for i = 1, count do
    positions[i] = read()
    ids[i] = event_of(positions[i])
  end
  if count > 0 then
    remove_delivered(ids, positions)
  end
  local kind = read()
  local delay, error_text, position
  if kind ~= '' then
    delay, error_text, position = read(), read(), read()
  end
  if tonumber(redis.call('ZSCORE', due, queue) or -1) == tonumber(lease_end) then
    local before, next_due = 0, server_now
    if count > 0 then
      redis.call('HDEL', attempts, queue)
    else
      before = read_attempts(queue)
    end
    if kind ~= '' then
      next_due = record_failure(queue, before + 1, kind, delay, error_text, position)
    end
    if first_position(queue) then
      redis.call('ZADD', due, format_millis(next_due), queue)
    else
      redis.call('ZREM', due, queue)
      redis.call('HDEL', attempts, queue)
    end
  end
end
redis.call('ZREMRANGEBYSCORE', done, '-inf', format_millis(server_now - 600000))
for _, forgotten in ipairs(redis.call('ZRANGE', done, 0, -50001)) do
  redis.call('ZREM', done, forgotten)
end
if delivered > 0 then
  add_to_state('delivered', delivered)
  redis.call('HSET', state, 'success', now)
end
if failed > 0 then
  add_to_state('failed', failed)
end
return 1
