-- Adds a sample of a replica to the statistics of the interval in which it was taken, in each ring.
-- KEYS    each ring  hash  slot -> the start (ms) of its interval, the counts and the gauges, on a line each
-- ARGV    1 counts   2 gauges, separated by spaces; -1 is an unknown gauge   3 age of the sample (ms)
--         4.. of each ring: the interval (ms), the number of slots
-- returns the time (ms)
-- cost    O(1)
-- A replica of a version with other counts replaces the statistics of the interval.
local function merge(old, new, combine)
  local merged, next_old = {}, string.gmatch(old, '%S+')
  for number in string.gmatch(new, '%S+') do
    merged[#merged + 1] = format_millis(combine(tonumber(number), tonumber(next_old() or number)))
  end
  return table.concat(merged, ' ')
end

local function sum(a, b)
  return a + b
end

local function count_of(numbers)
  return select(2, string.gsub(numbers, '%S+', ''))
end

local sampled_at = server_now - ARGV[3]
for i, ring in ipairs(KEYS) do
  local interval, slots = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  local start = sampled_at - sampled_at % interval
  local slot = format_millis(start / interval % slots)
  local counts, gauges = ARGV[1], ARGV[2]
  local old_start, old_counts, old_gauges =
    string.match(redis.call('HGET', ring, slot) or '', '^(%d+)\n([^\n]+)\n([^\n]+)$')
  if tonumber(old_start) == start and count_of(old_counts) == count_of(counts) then
    counts, gauges = merge(old_counts, counts, sum), merge(old_gauges, gauges, math.max)
  end
  -- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
  local ttl = format_millis(interval * slots)
  redis.call('PEXPIRE', ring, ttl)
  redis.call('HSET', ring, slot, format_millis(start) .. '\n' .. counts .. '\n' .. gauges)
  redis.call('PEXPIRE', ring, ttl)
end
return server_now
