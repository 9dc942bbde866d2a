#!/bin/sh
# assemble.sh OUT_DIR [NETWORK_TARGET [REVISIONS]]: makes images.tar.gz,
# images-2.tar.gz and so on (the same flake at its further revisions, two in
# all), bad-syntax.tar.gz, path-input.tar.gz and packages.tar.gz in OUT_DIR, to be served over
# HTTP. NETWORK_TARGET is a URL that answers inside the cluster; the packages
# that try the network try this one. BUSYBOX is a static busybox.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packages=$here/packages
[ -e "$packages" ] || packages=$here/../../examples/packages
cp -R "$here/images" "$here/bad-syntax" "$here/path-input" "$packages" "$work"
for flake in images packages; do
  cp "${BUSYBOX:-/usr/bin/busybox}" "$work/$flake/busybox"
  chmod 755 "$work/$flake/busybox"
done
echo "${2:-http://flakes/}" > "$work/images/network-target"

# pack NAME FOLDER: everything below one top folder, as Nix expects of a tarball.
pack() {
  tar -C "$work" -czf "$out/$1.tar.gz" "$2"
}
echo 1 > "$work/images/revision"
pack images images
revision=2
while [ "$revision" -le "${3:-2}" ]; do
  echo "$revision" > "$work/images/revision"
  pack "images-$revision" images
  revision=$((revision + 1))
done
pack bad-syntax bad-syntax
pack path-input path-input
pack packages packages
