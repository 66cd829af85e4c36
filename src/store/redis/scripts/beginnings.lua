-- Tells how values of a service begin. They are read one after another: together they may be more than
-- there is room for.
-- KEYS  1 service
-- ARGV  1 bytes of each at most   2.. fields
-- gives {beginning, bytes in all, ...}; false and 0 for a field that is not there
-- cost  O(fields + bytes of their values)
local told, most = {}, tonumber(ARGV[1])
for i = 2, #ARGV do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  told[#told + 1] = value and string.sub(value, 1, most)
  told[#told + 1] = value and #value or 0
end
return told
