#!/bin/sh
# Install the Node packages of package-lock.json, unless they are there already.
set -eu
cd "$(dirname "$0")"

stamp=node_modules/.installed
sum=$(sha256sum package-lock.json)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
    exit 0
fi
npm ci --ignore-scripts --no-audit --no-fund
printf '%s\n' "$sum" >"$stamp"
