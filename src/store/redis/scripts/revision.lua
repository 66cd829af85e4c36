-- The revision of the storage of a service; prepended to the scripts that change keys or compare it.
-- KEYS    1 svc:{id}
-- returns nothing: it defines functions
-- cost    none

-- The revision, from the fields `_rev` and `_created`. Each change adds one to the first one, which is the time of the
-- creation in microseconds; so the revisions of a custom id that is used again are larger.
local function to_revision(rev, created)
  return tonumber(rev) or created * 1000
end

-- Formats a revision for Redis.
local function format_revision(revision)
  return string.format('%.0f', revision)
end

-- Notifies watchers of a change, if the field `_watch` says that the storage is watched at the time `now` (ms).
local function notify(watch, now)
  local watched_until, channel = string.match(watch or '', '^(%d+) (.+)$')
  if watched_until and tonumber(watched_until) > tonumber(now) then
    -- Without the right to publish, watchers find the change when they poll.
    redis.pcall('PUBLISH', channel, KEYS[1])
  end
end

-- Whether `revision` is one of `revisions`, each between spaces; '' stands for all of them.
local function is_listed(revision, revisions)
  return revisions == '' or string.find(revisions, ' ' .. format_revision(revision) .. ' ', 1, true) ~= nil
end
