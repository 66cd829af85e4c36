-- Returns the entries of a list after a position, ordered by score and then by name.
-- KEYS    1 list
-- ARGV    1 score of the position   2 name of the position or ''   3 maximum number of entries
-- returns {name, score, ...}
-- cost    O(log n + returned entries + entries with the score of the position before it)
local min_score, result, offset = tonumber(ARGV[1]), {}, 0
while true do
  local batch = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', offset, 100)
  for i = 1, #batch, 2 do
    if tonumber(batch[i + 1]) > min_score or batch[i] > ARGV[2] then
      result[#result + 1] = batch[i]
      result[#result + 1] = batch[i + 1]
      if #result >= 2 * ARGV[3] then
        return result
      end
    end
  end
  -- Limits the work for more than some ten thousand entries with one score.
  if #batch < 200 or offset > 20000 then
    return result
  end
  offset = offset + 100
end
