-- The revision of the storage of a service; prepended to the scripts that change keys or compare it.
-- KEYS    1 svc:{id}
-- returns nothing: it defines functions
-- cost    none
-- Redis converts numbers in commands and replies with 17 digits, so revisions need no format.

-- The revision, from the field `_rev`. Each change adds one to it. At first it is the time of the creation in
-- microseconds, so the revisions of a custom id that is used again are larger.
local function to_revision(rev)
  return tonumber(rev) or redis.call('HGET', KEYS[1], '_created') * 1000
end

-- Whether `revision` is one of `revisions`, each between spaces; '' stands for all of them.
local function is_listed(revision, revisions)
  return revisions == '' or string.find(revisions, string.format(' %.0f ', revision), 1, true) ~= nil
end

-- Notifies watchers of a change, if the field `_watch` says that the storage is watched now.
local function notify(watch)
  local watched_until, channel = string.match(watch, '^(%d+) (.+)$')
  if tonumber(watched_until) > redis.call('TIME')[1] * 1000 then
    -- Without the right to publish, watchers find the change when they poll.
    redis.pcall('PUBLISH', channel, KEYS[1])
  end
end
