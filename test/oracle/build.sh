#!/usr/bin/env bash
# You get the program that tells what containerd makes of an image archive, and
# its path on stdout. Built once: the name has a hash of all that goes in.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../kind/common.sh"

hash=$(content_hash "$here"/containerd/*)
program=$CACHE/bin/containerd-oracle-$hash
if [ ! -x "$program" ]; then
  . "$here/../../kind/go.sh"
  say "Building what tells containerd's opinion, up to two minutes the first time …"
  # Flags of kind/node-image/build.sh: its containerd is made of the same packages.
  (cd "$here/containerd" && CGO_ENABLED=0 logged build-containerd-oracle \
    go build -trimpath -buildvcs=false -o "$program.part" .)
  rm -f "$CACHE"/bin/containerd-oracle-????????????????
  mv "$program.part" "$program"
fi
echo "$program"
