#!/usr/bin/env bash
# load.sh CLUSTER REFERENCE…: you get these images of Docker on every worker of
# a kind cluster. Workers that have them are left alone, the others get theirs
# at the same time. The control plane runs none of them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../kind/common.sh"

[ $# -ge 2 ] || fail "Usage: load.sh CLUSTER REFERENCE…"
cluster=$1
shift

# full_name REFERENCE as containerd knows it.
full_name() {
  case $1 in
    *.*/* | localhost/* | *:*/*) echo "$1" ;;
    */*) echo "docker.io/$1" ;;
    *) echo "docker.io/library/$1" ;;
  esac
}

load() {
  local worker=$1 log=$LOGS/load-$1.log present missing=()
  shift
  present=$(docker exec "$worker" ctr -n k8s.io images ls -q 2>/dev/null)
  for reference; do
    grep -qxF "$(full_name "$reference")" <<<"$present" || missing+=("$reference")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Loading ${missing[*]} into $worker …"
  docker save "${missing[@]}" | docker exec -i "$worker" ctr -n k8s.io images import --local - >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    return 1
  }
}

workers=$(docker ps --filter "label=io.x-k8s.kind.cluster=$cluster" --filter label=io.x-k8s.kind.role=worker --format '{{.Names}}')
[ -n "$workers" ] || fail "No worker of a kind cluster named $cluster runs. Start it with: kind/cluster.sh up $cluster"
loads=()
for worker in $workers; do
  load "$worker" "$@" &
  loads+=($!)
done
for id in "${loads[@]}"; do
  wait "$id" || fail "Not every worker got the images: see above."
done
