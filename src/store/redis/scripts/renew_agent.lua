-- Renews the availability of an agent, unless it has ended.
-- KEYS    1 {chats}:agents: by user name, the end of the availability (ms) and a line per definition
-- ARGV    1 user name   2 now (ms)   3 new end (ms)   4 TTL of the key (s)
-- returns the definitions, each after a line feed | nil if the agent is not available
-- cost    O(1)
local value = redis.call('HGET', KEYS[1], ARGV[1])
local until_ms, definitions = string.match(value or '', '^(%d+)(.*)$')
if not until_ms or tonumber(until_ms) <= tonumber(ARGV[2]) then
  return nil
end
if tonumber(until_ms) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. definitions)
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return definitions
