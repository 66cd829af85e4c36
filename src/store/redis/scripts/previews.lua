-- Returns the first bytes of values of a service. Redis copies a whole value to cut it: after ARGV[2] copied
-- bytes the script stops, and the caller calls again for the remaining fields, so that Redis is not blocked.
-- KEYS    1 service
-- ARGV    1 maximum bytes of each value   2 maximum bytes to copy, except for the first value   3.. fields
-- returns {first bytes, total bytes, ...} of the first fields; false and 0 for a missing one
-- cost    O(returned fields + bytes of their values)
local result, copied = {}, 0
for i = 3, #ARGV do
  local bytes = redis.call('HSTRLEN', KEYS[1], ARGV[i])
  copied = copied + bytes
  if i > 3 and copied > tonumber(ARGV[2]) then
    break
  end
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  result[#result + 1] = value and string.sub(value, 1, tonumber(ARGV[1]))
  result[#result + 1] = bytes
end
return result
