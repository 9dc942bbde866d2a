#!/usr/bin/env bash
# You get the path of the program that holds Pods to NetworkPolicies, built of
# Go modules the first time and kept in the cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../../kind/common.sh"
program=$CACHE/bin/enforcer-$(content_hash "$here"/*)
if [ ! -e "$program" ]; then
  . "$here/../../../kind/go.sh"
  say "Building what holds Pods to NetworkPolicies …"
  (cd "$here" && CGO_ENABLED=0 logged build-enforcer go build -trimpath -ldflags "-s -w" -o "$program.part" .)
  rm -f "$CACHE"/bin/enforcer-????????????????
  mv "$program.part" "$program"
fi
echo "$program"
