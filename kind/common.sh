# What the scripts of this folder and of images/ share: where things are kept,
# how progress and failures are told, and how images outlive Docker. Source it;
# it does nothing by itself.
# shellcheck shell=bash

CACHE=${ENBI_CACHE:-$HOME/.cache/enbi}
LOGS=$CACHE/logs
mkdir -p "$CACHE/bin" "$LOGS"
export PATH=$CACHE/bin:$PATH:/usr/sbin:/sbin
export DOCKER_CLI_HINTS=false

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# logged NAME COMMAND… runs a command whose long output goes to a log file; on
# failure it shows the end of that file.
logged() {
  local log=$LOGS/$1.log
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  tail -n 20 "$log" >&2
  fail "This failed: $*. The whole output is in $log."
}

# content_hash FILE… names a state of files: same names and bytes, same hash.
content_hash() { sha256sum "$@" | sed "s#$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/##" | sha256sum | cut -c1-16; }

is_debian_root() { [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }

debian_architecture() {
  case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) fail "Only x86_64 and aarch64 are supported, and this machine is $(uname -m)." ;;
  esac
}


# install_packages NAME… installs Debian packages unless all of them are there.
install_packages() {
  dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -c '^installed$' | grep -qx "$#" && return
  is_debian_root || fail "These Debian packages are needed: $*. Install them, or run this as root on Debian."
  say "Installing $* …"
  logged apt-update apt-get update
  logged apt-install env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# pull_if_reachable REFERENCE pulls an image if its registry answers within seconds.
# The answer "out of reach" is kept for an hour, so that it is paid for once.
pull_if_reachable() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  local unreachable=$CACHE/registry-unreachable
  [ -n "$(find "$unreachable" -mmin -60 2>/dev/null)" ] && return 1
  if ! timeout 8 docker manifest inspect "$1" >/dev/null 2>&1; then
    touch "$unreachable"
    return 1
  fi
  say "Pulling $1 …"
  docker pull --quiet "$1" >&2
}

# keep_image REFERENCE saves an image under the cache, in place of earlier ones
# of that name; restore_image brings it back when Docker has lost it.
image_file() { printf '%s/images/%s.tar' "$CACHE" "${1//[\/:]/-}"; }
keep_image() {
  local file
  file=$(image_file "$1")
  mkdir -p "$CACHE/images"
  [ -e "$file" ] && return
  docker save "$1" -o "$file.part"
  rm -f "${file%-*}"-*.tar
  mv "$file.part" "$file"
}
restore_image() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  local file
  file=$(image_file "$1")
  [ -e "$file" ] || return 1
  say "Loading $1 from the cache …"
  docker load --quiet -i "$file" >/dev/null
}
