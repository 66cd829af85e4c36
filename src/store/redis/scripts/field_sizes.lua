-- Returns the revision of a service and the sizes of its fields.
-- KEYS    1 svc
-- returns {_created, _rev or false, field, bytes of its value, ...}; false as the first if there is no service
-- cost    O(fields)
local state = redis.call('HMGET', KEYS[1], '_created', '_rev')
local reply = {state[1], state[2]}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  reply[#reply + 1] = field
  reply[#reply + 1] = redis.call('HSTRLEN', KEYS[1], field)
end
return reply
