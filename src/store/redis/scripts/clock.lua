-- The clock of this server, for the scripts that need it; put in front of each of them.
-- KEYS  none
-- gives what the script behind it gives
-- cost  O(1)
-- Replicas send instants by the clock of Redis as they measured it. In a Cluster that is the clock of one
-- server, and this may be another one: then an instant keeps its distance from now.
local time = redis.call('TIME')
local server_now = time[1] * 1000 + math.floor(time[2] / 1000)

-- How far this clock is ahead of the sender's, which shows `now` (ms). Less than a second is no difference:
-- a command takes a while to get here.
local function ahead_of(now)
  local ahead = server_now - tonumber(now)
  if math.abs(ahead) < 1000 then
    return 0
  end
  return ahead
end

-- An instant (ms) as Redis takes it and as it is stored.
local function instant(millis)
  return string.format('%.0f', millis)
end
