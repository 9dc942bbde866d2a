# You get a Go that builds everything here, as go in the PATH: the machine's own
# if it is 1.25 or newer, else Debian's newest, unpacked in the cache. Source it
# after common.sh.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/debian.sh"

# A module may ask for a newer Go than this one; it then comes as a module too.
export GOTOOLCHAIN=auto GOFLAGS=-buildvcs=false

has_go() {
  local minor
  minor=$(go env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
  [ "${minor:-0}" -ge 25 ]
}

unpack_go() {
  local root=$CACHE/go package
  is_debian_root || fail "Go 1.25 or newer is needed. Install it, or run this as root on Debian."
  if [ ! -e "$root/done" ]; then
    say "Unpacking Debian's newest Go …"
    rm -rf "$root"
    debian_unpack "$root" golang-go golang-src
    # golang-go only names the version whose packages hold the rest.
    package=$(basename "$(readlink "$root/usr/lib/go")" | sed 's/^go/golang/')
    debian_unpack "$root" "$package-go" "$package-src"
    # Debian links from lib to share by absolute path on some versions.
    package=$(basename "$(readlink "$root/usr/lib/go")")
    for name in api misc src test; do
      [ ! -d "$root/usr/share/$package/$name" ] || ln -sfn "../../share/$package/$name" "$root/usr/lib/$package/$name"
    done
    touch "$root/done"
  fi
  export PATH=$root/usr/lib/go/bin:$PATH
}

has_go || unpack_go
