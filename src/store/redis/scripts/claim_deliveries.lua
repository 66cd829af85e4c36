-- Claims the first events of queues that are due.
-- KEYS    1..9 as in webhooks.lua
-- ARGV    1 maximum number of queues   2 lease (ms)   3 maximum number of events per queue
-- returns {{queue, failed attempts, end of the lease (ms), {position, record, ...}}, ...}
-- cost    O(log n) per queue and event
if redis.call('HEXISTS', state, 'stopped') == 1 then
  return {}
end
local queues = redis.call('ZRANGEBYSCORE', due, '-inf', server_now, 'LIMIT', 0, ARGV[1])
if #queues == 0 then
  return {}
end
allow_writes()
-- Few commands for many queues: most of them have one event.
local lists, ids, texts = {}, {}, {}
for i, queue in ipairs(queues) do
  lists[i] = redis.call('ZRANGEBYLEX', order, '[' .. queue .. '\n', '(' .. queue .. '\n\255', 'LIMIT', 0, ARGV[3])
  for _, position in ipairs(lists[i]) do
    ids[#ids + 1] = last_part(position, queue)
  end
end
for first = 1, #ids, 1000 do
  for _, text in ipairs(redis.call('HMGET', events, unpack(ids, first, math.min(first + 999, #ids)))) do
    texts[#texts + 1] = text
  end
end
local failed, next_text = redis.call('HMGET', attempts, unpack(queues)), 1
local claimed, leases, empty, lease_end = {}, {}, {}, format_millis(server_now + ARGV[2])
for i, queue in ipairs(queues) do
  local batch = {}
  for _, position in ipairs(lists[i]) do
    local text = texts[next_text]
    next_text = next_text + 1
    if text then
      batch[#batch + 1] = position
      batch[#batch + 1] = last_part(text, queue)
    else
      -- The hash lost it, or it has another position.
      redis.call('ZREM', order, position)
    end
  end
  if #batch > 0 then
    leases[#leases + 1] = lease_end
    leases[#leases + 1] = queue
    claimed[#claimed + 1] = {queue, (parse_attempts(failed[i])), lease_end, batch}
  elseif #lists[i] == 0 then
    empty[#empty + 1] = queue
  end
end
call_in_batches('ZADD', due, leases)
call_in_batches('ZREM', due, empty)
call_in_batches('HDEL', attempts, empty)
return claimed
