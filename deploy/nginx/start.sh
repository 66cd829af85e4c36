#!/bin/sh
# Starts nginx. TRUSTED_PROXIES, a comma-separated list of addresses and networks, lists the proxies in front of it whose
# X-Forwarded-For and X-Forwarded-Proto are passed on.
set -eu
for proxy in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
  echo "$proxy 1;"
done >/tmp/trusted.conf
exec nginx -e stderr -g 'daemon off;'
