-- Tells how values of a service begin. To tell that, a value is copied whole: with ARGV[2] bytes copied it is
-- enough for one call, and who wants to know of the other fields calls again. Meanwhile others are served.
-- KEYS  1 service
-- ARGV  1 bytes of each at most   2 bytes that are copied at most, but for the first value   3.. fields
-- gives {beginning, bytes in all, ...} of the first fields; false and 0 for one that is not there
-- cost  O(fields told + bytes of their values)
local told, copied = {}, 0
for i = 3, #ARGV do
  local bytes = redis.call('HSTRLEN', KEYS[1], ARGV[i])
  copied = copied + bytes
  if i > 3 and copied > tonumber(ARGV[2]) then
    break
  end
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  told[#told + 1] = value and string.sub(value, 1, tonumber(ARGV[1]))
  told[#told + 1] = bytes
end
return told
