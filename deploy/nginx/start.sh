#!/bin/sh
# Starts nginx. TRUSTED_PROXIES, a comma-separated list of addresses and networks, names the proxies in front of it whose
# X-Forwarded-For and X-Forwarded-Proto are kept.
set -eu
for proxy in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
  echo "$proxy 1;"
done >/tmp/trusted.conf
exec nginx -e stderr -g 'daemon off;'
