# Debian file systems and packages that leave the machine's own untouched.
# Source it after common.sh.
# shellcheck shell=bash

# debian_mirror prints the Debian mirror that this machine's apt uses.
debian_mirror() {
  local files
  files=$(find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -o -name '*.sources' 2>/dev/null || true)
  # shellcheck disable=SC2086 # one word a file
  awk '!/^ *#/ && match($0, /https?:[^ ]+\/debian/) { print substr($0, RSTART, RLENGTH); exit }' $files </dev/null | grep . ||
    fail "No Debian mirror was found in /etc/apt. Add one to /etc/apt/sources.list."
}

# debian_image REFERENCE SUITE PACKAGES makes an image of a minimal Debian with
# these further packages (comma-separated). No manuals: nobody reads them there.
debian_image() {
  local file mirror
  mirror=$(debian_mirror)
  install_packages mmdebstrap debian-archive-keyring
  say "Making $1 from Debian $2 …"
  file=$(mktemp "$CACHE/debian-XXXXXX.tar")
  # Mirrors that stand still for reproducibility serve Release files past their date.
  logged "debian-$2" mmdebstrap --variant=minbase --mode=root --include="$3" \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --customize-hook='rm -rf "$1"/usr/share/doc/* "$1"/usr/share/locale/* "$1"/var/cache/apt/*.bin' \
    "$2" "$file" "deb $mirror $2 main"
  docker import "$file" "$1" >/dev/null
  rm "$file"
}

# debian_unpack DIR PACKAGE… unpacks packages of sid and nothing they depend on
# below DIR. Their scripts do not run and the machine's own apt knows nothing of
# it: apt gets a root of its own.
debian_unpack() {
  local directory=$1 root options mirror
  shift
  mirror=$(debian_mirror)
  root=$(mktemp -d "$CACHE/apt-XXXXXX")
  mkdir -p "$root"/{lists/partial,archives/partial,etc/preferences.d,etc/apt.conf.d,debs} "$directory"
  touch "$root/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$root/etc/sources.list"
  options=(-o Dir::State="$root" -o Dir::State::status="$root/status" -o Dir::Cache="$root" -o Dir::Etc="$root/etc"
    -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
  logged apt-private-update apt-get "${options[@]}" update
  (cd "$root/debs" && logged apt-private-download apt-get "${options[@]}" download "$@")
  for package in "$root"/debs/*.deb; do dpkg-deb -x "$package" "$directory"; done
  rm -r "$root"
}
