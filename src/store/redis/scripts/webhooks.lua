-- Common functions of the scripts of webhook endpoints; prepended to each of them. The embedded store has the same rules
-- in `state/endpoint_queue.rs`.
-- KEYS    of one endpoint, in this order:
--         1 events        hash  event -> sequence number, queue and record
--         2 order         zset  (lexical) position: queue, sequence number and event
--         3 due           zset  queue by the time (ms) of its next attempt
--         4 attempts      hash  queue -> failed attempts to deliver its first event, and the time (ms) of the next one
--         5 pending       zset  event by the time (ms) since which it is pending: its own, or that at which a dead letter
--                               was sent again
--         6 dead          zset  event by the time (ms) at which it became a dead letter
--         7 dead_letters  hash  event -> failed attempts, reason, sequence number, queue and record
--         8 state         hash  `seq` the last sequence number; `delivered`, `failed`, `dead` totals; `success` the time of
--                               the last success; `failure`, `error` those of the last failure; `stopped` since when
--         9 done          zset  event by the time (ms) at which it was delivered; for some minutes, so that a repeated relay
--                               does not add it again
-- Parts of a value are separated by line feeds, which only the last part can contain.
-- returns the result of the script after it
-- cost    O(log n) per event
local events, order, due, attempts, pending, dead, dead_letters, state, done =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]

local function join_lines(...)
  return table.concat({...}, '\n')
end

-- Returns the event of a position, or the record of a value of `events`. A pattern would take a time that is quadratic in
-- the length.
local function last_part(text, queue)
  return string.sub(text, #queue + 19)
end

-- Calls a command whose reply is a number, with at most 1,000 arguments at a time, and returns the sum of the replies.
local function call_in_batches(command, key, arguments)
  local sum = 0
  for first = 1, #arguments, 1000 do
    sum = sum + redis.call(command, key, unpack(arguments, first, math.min(first + 999, #arguments)))
  end
  return sum
end

-- If memory is full, Redis rejects a script whose first write allocates, but not later writes. Events must be delivered
-- even then.
local function allow_writes()
  redis.call('HDEL', state, '')
end

local function add_to_state(field, count)
  redis.call('HSET', state, field, format_millis((redis.call('HGET', state, field) or 0) + count))
end

-- Adds events, each {id, queue, time, record}, and makes their queues due.
local function insert_events(list)
  local seq = tonumber(redis.call('HGET', state, 'seq') or 0)
  local texts, positions, times, queues, now = {}, {}, {}, {}, format_millis(server_now)
  for _, event in ipairs(list) do
    seq = seq + 1
    local number = string.format('%016.0f', seq)
    texts[#texts + 1] = event.id
    texts[#texts + 1] = join_lines(number, event.queue, event.record)
    positions[#positions + 1] = '0'
    positions[#positions + 1] = join_lines(event.queue, number, event.id)
    times[#times + 1] = event.time
    times[#times + 1] = event.id
    queues[#queues + 1] = now
    queues[#queues + 1] = event.queue
  end
  redis.call('HSET', events, unpack(texts))
  redis.call('ZADD', order, unpack(positions))
  redis.call('ZADD', pending, unpack(times))
  redis.call('ZADD', due, 'NX', unpack(queues))
  redis.call('HSET', state, 'seq', format_millis(seq))
end

-- Returns the position of the first event of a queue, or nil.
local function first_position(queue)
  return redis.call('ZRANGEBYLEX', order, '[' .. queue .. '\n', '(' .. queue .. '\n\255', 'LIMIT', 0, 1)[1]
end

-- Parses a value of `attempts`, which may be false.
local function parse_attempts(text)
  local count, retry_at = string.match(text or '', '^(%d+)\n(%d+)$')
  return tonumber(count or 0), tonumber(retry_at or 0)
end

-- Returns the failed attempts to deliver the first event of a queue, and the time of the next one: the queue has that
-- time unless it is claimed.
local function read_attempts(queue)
  return parse_attempts(redis.call('HGET', attempts, queue))
end

-- Makes a pending event a dead letter. Without `failed`, the attempts of its queue are counted, if it is the first one;
-- the next event then does not wait for its next attempt.
local function make_dead(id, failed, reason, max_dead)
  local text = redis.call('HGET', events, id)
  if not text then
    return
  end
  local number, queue, record = string.match(text, '^(.-)\n(.-)\n(.*)$')
  local position = join_lines(queue, number, id)
  local before = 0
  if first_position(queue) == position then
    local retry_at
    before, retry_at = read_attempts(queue)
    if before > 0 and tonumber(redis.call('ZSCORE', due, queue) or -1) == retry_at then
      redis.call('ZADD', due, server_now, queue)
    end
    redis.call('HDEL', attempts, queue)
  end
  redis.call('HDEL', events, id)
  redis.call('ZREM', order, position)
  redis.call('ZREM', pending, id)
  redis.call('HSET', dead_letters, id, join_lines(failed or before, reason, number, queue, record))
  redis.call('ZADD', dead, server_now, id)
  add_to_state('dead', 1)
  for _, dropped in ipairs(redis.call('ZRANGE', dead, 0, -1 - max_dead)) do
    redis.call('HDEL', dead_letters, dropped)
    redis.call('ZREM', dead, dropped)
  end
end
