#!/usr/bin/env bash
# You get the images of this project in Docker, with what lies bundled in dist/,
# and on stdout their references: FUNCTIONS_IMAGE=…, BUILDER_IMAGE=…,
# PROXY_IMAGE=… and DISTRIBUTION_IMAGE=…. The tag is a hash of what went in, so
# the same sources make nothing new.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/kind/common.sh"

# image NAME FOLDER… makes it of these folders.
image() {
  local name=$1 files reference
  shift
  for folder; do [ -d "$root/$folder" ] || fail "$folder is missing. Bundle the sources first."; done
  mapfile -t files < <(find "${@/#/$root/}" -type f | sort)
  reference=enbi-$name:$({ echo "$base" && content_hash "${files[@]}"; } | sha256sum | cut -c1-16)
  if ! docker image inspect "$reference" >/dev/null 2>&1; then
    say "Building $reference …"
    tar -C "$root" -c "$@" | docker build --build-arg "BASE=$base" -f "images/$name/Dockerfile" -t "$reference" - \
      >"$LOGS/docker-build-$name.log" 2>&1 || {
      tail -n 20 "$LOGS/docker-build-$name.log" >&2
      fail "The image $reference could not be built. The whole output is in $LOGS/docker-build-$name.log."
    }
  fi
  echo "${name^^}_IMAGE=$reference"
}

"$root/kind/docker.sh"
base=$("$root/images/base.sh")
image functions images/functions dist/functions
image builder images/builder dist/builder
image proxy images/proxy
image distribution images/distribution
