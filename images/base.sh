#!/usr/bin/env bash
# You get a Docker image of a minimal Debian sid, on which both images of this
# project stand, and its reference on stdout: debian:sid-slim where the registry
# answers, else one made from Debian packages, kept in the cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../kind/common.sh"
. "$here/../kind/debian.sh"

image=debian:sid-slim
if ! pull_if_reachable "$image"; then
  image=enbi-base:$(content_hash "$here/base.sh" "$here/../kind/debian.sh")
  if ! restore_image "$image"; then
    debian_image "$image" sid ca-certificates
    keep_image "$image"
  fi
fi
echo "$image"
