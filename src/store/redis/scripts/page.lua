-- Tells what stands behind a place of a list: entries by score, and by name where scores are equal.
-- KEYS  1 list
-- ARGV  1 score of the place   2 name of the place or ''   3 how many at most
-- gives {name, score, ...}
-- cost  O(log n + entries told + those that have the score of the place and stand before it)
local from, told, offset = tonumber(ARGV[1]), {}, 0
while true do
  local some = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', offset, 100)
  for i = 1, #some, 2 do
    if tonumber(some[i + 1]) > from or some[i] > ARGV[2] then
      told[#told + 1] = some[i]
      told[#told + 1] = some[i + 1]
      if #told >= 2 * ARGV[3] then
        return told
      end
    end
  end
  -- Beyond some ten thousand of one millisecond nobody pages.
  if #some < 200 or offset > 20000 then
    return told
  end
  offset = offset + 100
end
