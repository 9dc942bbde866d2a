#!/usr/bin/env bash
# forget.sh CLUSTER NAME:TAG…: workers of a kind cluster keep these versions of
# the images and no others, since kubelet reports only the 50 largest images of
# a node.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../kind/common.sh"

[ $# -ge 2 ] || fail "Usage: forget.sh CLUSTER NAME:TAG…"
cluster=$1
shift

# Of `ctr images ls` the names of older versions; among them CRI's own, which are digests.
# shellcheck disable=SC2016
older='
  function repository(name) { sub(/:[^:]*$/, "", name); return name }
  BEGIN { count = split(references, list, " "); for (i = 1; i <= count; i++) { kept[list[i]]; ours[repository(list[i])] } }
  { target[$1] = $3 }
  repository($1) in ours { if ($1 in kept) current[$3]; else old[$3] }
  END { for (name in target) if (target[name] in old && !(target[name] in current)) print name }'

for worker in $(docker ps --filter "label=io.x-k8s.kind.cluster=$cluster" --filter label=io.x-k8s.kind.role=worker --format '{{.Names}}'); do
  docker exec "$worker" ctr -n k8s.io images ls 2>/dev/null | awk -v references="${*/#/docker.io/library/}" "$older" |
    docker exec -i "$worker" xargs -r ctr -n k8s.io images rm >/dev/null 2>&1
done
