-- Returns the entries of a list after a position, ordered by score and then by name.
-- KEYS    1 list
-- ARGV    1 score of the position   2 name of the position or ''   3 maximum number of entries
--         4 score at which the list ends, '(' before it excludes it; '+inf' if it is missing
--         5 'REV' for the reverse order
-- returns {name, score, ...}
-- cost    O(log n + returned entries + entries with the score of the position before it)
local first_score, last, result, offset = tonumber(ARGV[1]), ARGV[4] or '+inf', {}, 0
local is_reverse = ARGV[5] == 'REV'
local function is_after(score, name)
  if is_reverse then
    return score < first_score or name < ARGV[2]
  end
  return score > first_score or name > ARGV[2]
end
while true do
  local batch
  if is_reverse then
    batch = redis.call('ZRANGE', KEYS[1], ARGV[1], last, 'BYSCORE', 'REV', 'LIMIT', offset, 100, 'WITHSCORES')
  else
    batch = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], last, 'WITHSCORES', 'LIMIT', offset, 100)
  end
  for i = 1, #batch, 2 do
    if is_after(tonumber(batch[i + 1]), batch[i]) then
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
