#!/usr/bin/env bash
# load.sh CLUSTER ROLE REFERENCE…: you get these images of Docker on every node of
# a kind cluster that has this role, worker or control-plane. Nodes that have them
# are left alone, the others get theirs at the same time.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../kind/common.sh"

[ $# -ge 3 ] && [[ $2 =~ ^(worker|control-plane)$ ]] || fail "Usage: load.sh CLUSTER worker|control-plane REFERENCE…"
cluster=$1 role=$2
shift 2

# full_name REFERENCE as containerd knows it.
full_name() {
  case $1 in
    *.*/* | localhost/* | *:*/*) echo "$1" ;;
    */*) echo "docker.io/$1" ;;
    *) echo "docker.io/library/$1" ;;
  esac
}

load() {
  local node=$1 log=$LOGS/load-$1.log present missing=()
  shift
  present=$(docker exec "$node" ctr -n k8s.io images ls -q 2>/dev/null)
  for reference; do
    grep -qxF "$(full_name "$reference")" <<<"$present" || missing+=("$reference")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Loading ${missing[*]} into $node …"
  docker save "${missing[@]}" | docker exec -i "$node" ctr -n k8s.io images import --local - >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    return 1
  }
}

nodes=$(docker ps --filter "label=io.x-k8s.kind.cluster=$cluster" --filter label="io.x-k8s.kind.role=$role" --format '{{.Names}}')
[ -n "$nodes" ] || fail "No $role of a kind cluster named $cluster runs. Start it with: kind/cluster.sh up $cluster"
loads=()
for node in $nodes; do
  load "$node" "$@" &
  loads+=($!)
done
for id in "${loads[@]}"; do
  wait "$id" || fail "Not every $role got the images: see above."
done
