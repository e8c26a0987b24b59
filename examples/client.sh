#!/usr/bin/env bash
# Reads a key over HTTP with curl. The header `Cache-Status` says whether it was a hit.
#
#   client.sh [URL of Larder] [URL of Redis]
set -euo pipefail

readonly LARDER=${1:-http://127.0.0.1:8000}
readonly REDIS=${2:-redis://127.0.0.1:6379}
readonly KEY=example-curl

main() {
    local answer tries=0
    # Another program writes a value, directly to Redis.
    redis-cli -u "$REDIS" set "$KEY" one ex 60 >/dev/null

    answer=$(get)
    echo "first read:  $answer"
    answer=$(get)
    echo "second read: $answer"
    [[ $answer == "one  (cache-status: larder; hit;"* ]] || fail "the second read was not a hit"

    # The value changes in Redis. Redis tells Larder, which forgets its copy.
    redis-cli -u "$REDIS" set "$KEY" two ex 60 >/dev/null
    until [[ $answer == two* ]]; do
        ((++tries <= 100)) || fail "still the old value after 100 reads"
        answer=$(get)
    done
    echo "changed in Redis, read through Larder: $answer"

    redis-cli -u "$REDIS" del "$KEY" >/dev/null
}

# The value, and how Larder came by it.
get() {
    curl --silent --show-error --fail --include "$LARDER/v1/keys/$KEY" | tr -d '\r' |
        awk '/^cache-status:/ { status = $0 } END { print $0 "  (" status ")" }'
}

fail() {
    echo "client.sh: $1" >&2
    exit 1
}

main
