#!/bin/sh
# Starts the Redis of docker-compose.yml with a password, and writes the URL that the replicas connect to.
#
#   SWITCHBOARD_REDIS_PASSWORD   its password, or that of the Redis at SWITCHBOARD_REDIS_URL. Empty: a random one.
#   SWITCHBOARD_REDIS_URL        another Redis that the replicas use instead of this one
#
# The folder is a volume in memory that only this container and the replicas mount.
set -eu
folder=${SECRETS_FOLDER:-/run/switchboard}
password=${SWITCHBOARD_REDIS_PASSWORD:-}
url=${SWITCHBOARD_REDIS_URL:-}
if [ -z "$password" ]; then
  # Reused while a replica runs, so that a Redis that is restarted alone accepts it.
  if [ ! -s "$folder/redis-password" ]; then
    (umask 077 && LC_ALL=C tr -dc A-Za-z0-9 </dev/urandom | head -c 32 >"$folder/redis-password")
  fi
  password=$(cat "$folder/redis-password")
  # Letters and digits need no encoding. A configured password is a setting of its own.
  url=${url:-redis://:$password@redis:6379}
fi
printf '%s' "${url:-redis://redis:6379}" >"$folder/redis-url.new"
mv "$folder/redis-url.new" "$folder/redis-url"
exec redis-server --requirepass "$password" "$@"
