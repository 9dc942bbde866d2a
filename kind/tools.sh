#!/usr/bin/env bash
# You get kind and kubectl: the machine's own if they will do, else in bin/ of
# the cache folder, kind built as a Go module and kubectl out of the node image.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

kind_version=v0.33.0

# has_kind: older ones cannot load images into the containerd of our nodes.
has_kind() {
  local minor
  minor=$(kind --version 2>/dev/null | sed -nE 's/^kind version v?0\.([0-9]+).*/\1/p')
  [ "${minor:-0}" -ge "$(cut -d. -f2 <<<$kind_version)" ]
}

if ! has_kind; then
  . "$here/go.sh"
  say "Building kind $kind_version …"
  GOBIN=$CACHE/bin CGO_ENABLED=0 logged build-kind go install -trimpath -ldflags "-s -w" "sigs.k8s.io/kind@$kind_version"
fi
if ! command -v kubectl >/dev/null; then
  [ "$(uname -s)" = Linux ] || fail "kubectl is missing. Install it and try again."
  say "Taking kubectl out of the node image …"
  container=$(docker create "$("$here/node-image.sh")")
  for path in /usr/local/bin/kubectl /usr/bin/kubectl; do
    if docker cp -L "$container:$path" "$CACHE/bin/kubectl" 2>/dev/null; then break; fi
  done
  docker rm "$container" >/dev/null
fi
