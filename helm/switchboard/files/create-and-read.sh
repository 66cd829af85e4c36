#!/bin/sh
# Creates a service at $BASE and reads its data. Run by `helm test` and deploy/check.
set -eu
send() {
  curl --fail-with-body --silent --show-error --insecure --max-time 10 \
    --retry 10 --retry-delay 2 --retry-connrefused \
    --user "${SWITCHBOARD__AUTH__USERNAME:-}:${SWITCHBOARD__AUTH__PASSWORD:-}" \
    --header "x-api-key: ${SWITCHBOARD__AUTH__API_KEYS%%,*}" "$@"
}
SWITCHBOARD__AUTH__API_KEYS=${SWITCHBOARD__AUTH__API_KEYS:-}
created=$(send "$BASE/genesys/1/service/$SERVICE" --data greeting=hello)
echo "created: $created"
id=$(echo "$created" | sed -n 's/.*"_id":"\([^"]*\)".*/\1/p')
read=$(send "$BASE/genesys/1/service/$id/storage/greeting")
echo "read: $read"
ended=$(send --request DELETE "$BASE/genesys/1/service/$id")
echo "ended: $ended"
[ "$read" = '{"greeting":"hello"}' ] && [ "$ended" = OK ]
