-- The clock of this server; prepended to the scripts that need it.
-- KEYS    none
-- returns the result of the script after it
-- cost    O(1)
-- Replicas send timestamps of the clock of Redis as they measured it. In a Cluster that is the clock of
-- one server, and this may be another one: the script then converts timestamps by the offset. Timestamps of commands are
-- texts where possible, because Redis takes longer to format a number than to perform the command.
local time = redis.call('TIME')
local server_now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Returns by how much this clock is ahead of the sender's, which shows `sender_now` (ms). Less than a
-- second counts as zero, because of the latency of commands.
local function clock_offset(sender_now)
  local offset = server_now - sender_now
  if math.abs(offset) < 1000 then
    return 0
  end
  return offset
end

-- Formats a timestamp (ms) for Redis.
local function format_millis(millis)
  return string.format('%.0f', millis)
end

-- Converts a timestamp (ms) of the sender's clock by the offset.
local function to_server_time(millis, offset)
  return offset == 0 and millis or format_millis(millis + offset)
end
