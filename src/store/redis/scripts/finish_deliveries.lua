-- Records the results of claimed queues. Delivered events are removed in any case; the rest of a result is ignored if the
-- queue was claimed again.
-- KEYS    1..9 as in webhooks.lua
-- ARGV    1 maximum number of dead letters   then per result: queue, end of its lease (ms), number of delivered events,
--         their positions, and what failed: '' nothing, `after`, `dead` or `stop`; unless it is '' also the ms until the
--         next attempt, the error and the position of the event
-- returns 1
-- cost    O(log n) per event
allow_writes()
local next_arg, failed, now = 2, 0, format_millis(server_now)
local function read()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end
-- Records a failure of the first event of a queue, and returns when the queue is due.
local function record_failure(result, count)
  failed = failed + 1
  redis.call('HSET', state, 'failure', now, 'error', result.error)
  if result.kind == 'stop' and redis.call('HEXISTS', state, 'stopped') == 0 then
    redis.call('HSET', state, 'stopped', now)
  end
  -- Too many pending events made it a dead letter meanwhile: the failure is none of the next event.
  if first_position(result.queue) ~= result.position then
    return now
  end
  if result.kind == 'dead' then
    make_dead(last_part(result.position, result.queue), count, result.error, ARGV[1])
    return now
  end
  local retry_at = format_millis(server_now + result.delay)
  redis.call('HSET', attempts, result.queue, join_lines(format_millis(count), retry_at))
  return retry_at
end

-- Few commands for many results: most of them are the delivery of one event.
local results, ids, positions, times = {}, {}, {}, {}
while next_arg <= #ARGV do
  local result = {queue = read(), lease_end = tonumber(read()), count = tonumber(read())}
  for _ = 1, result.count do
    local position = read()
    positions[#positions + 1] = position
    ids[#ids + 1] = last_part(position, result.queue)
    times[#times + 1] = now
    times[#times + 1] = ids[#ids]
  end
  result.kind = read()
  if result.kind ~= '' then
    result.delay, result.error, result.position = read(), read(), read()
  end
  results[#results + 1] = result
end

-- Delivered events are remembered for ten minutes, at most 50,000.
local delivered = call_in_batches('HDEL', events, ids)
call_in_batches('ZREM', pending, ids)
call_in_batches('ZREM', order, positions)
-- Too many pending events may have made them dead letters meanwhile.
if call_in_batches('ZREM', dead, ids) > 0 then
  delivered = delivered + call_in_batches('HDEL', dead_letters, ids)
end
call_in_batches('ZADD', done, times)
redis.call('ZREMRANGEBYSCORE', done, '-inf', format_millis(server_now - 600000))
call_in_batches('ZREM', done, redis.call('ZRANGE', done, 0, -50001))

local leased, attempted, next_due, finished = {}, {}, {}, {}
for _, result in ipairs(results) do
  if tonumber(redis.call('ZSCORE', due, result.queue) or -1) == result.lease_end then
    leased[#leased + 1] = result
    if result.count > 0 then
      attempted[#attempted + 1] = result.queue
    end
  end
end
call_in_batches('HDEL', attempts, attempted)
for _, result in ipairs(leased) do
  local queue, due_at = result.queue, now
  if result.kind ~= '' then
    due_at = record_failure(result, 1 + (result.count > 0 and 0 or read_attempts(queue)))
  end
  if first_position(queue) then
    next_due[#next_due + 1] = due_at
    next_due[#next_due + 1] = queue
  else
    finished[#finished + 1] = queue
  end
end
call_in_batches('ZADD', due, next_due)
call_in_batches('ZREM', due, finished)
call_in_batches('HDEL', attempts, finished)
if delivered > 0 then
  add_to_state('delivered', delivered)
  redis.call('HSET', state, 'success', now)
end
if failed > 0 then
  add_to_state('failed', failed)
end
return 1
