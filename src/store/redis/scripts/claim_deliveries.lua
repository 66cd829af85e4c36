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
local claimed, lease_end = {}, format_millis(server_now + ARGV[2])
for _, queue in ipairs(queues) do
  local positions = redis.call('ZRANGEBYLEX', order, '[' .. queue .. '\n', '(' .. queue .. '\n\255', 'LIMIT', 0, ARGV[3])
  local ids, batch = {}, {}
  for i, position in ipairs(positions) do
    ids[i] = string.match(position, '[^\n]*$')
  end
  local texts = #ids > 0 and redis.call('HMGET', events, unpack(ids)) or {}
  for i, position in ipairs(positions) do
    if texts[i] then
      batch[#batch + 1] = position
      batch[#batch + 1] = string.match(texts[i], '^.-\n.-\n(.*)$')
    else
      -- The hash lost it, or it has another position.
      redis.call('ZREM', order, position)
    end
  end
  if #batch > 0 then
    redis.call('ZADD', due, lease_end, queue)
    claimed[#claimed + 1] = {queue, (read_attempts(queue)), lease_end, batch}
  elseif #positions == 0 then
    redis.call('ZREM', due, queue)
    redis.call('HDEL', attempts, queue)
  end
end
return claimed
