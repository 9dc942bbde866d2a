# Sourced by busybox sh with $tools and $architecture set: functions that make
# layers (base, app, big), put them into a docker-archive (archive), and try
# what a sandbox must stop (network, outside).

cd "$($tools/busybox mktemp -d)"
$tools/busybox mkdir bin
$tools/busybox --install -s bin
PATH=$PWD/bin

# layer NAME FILE...: files below NAME/ become NAME.tar, the same bytes every time.
layer() {
  name=$1
  shift
  (
    cd "$name"
    chmod -R a+rX,u+w .
    touch -d @1 "$@"
    tar -cf "../$name.tar" "$@"
  )
}

base() {
  mkdir -p base/bin
  cp "$tools/busybox" base/bin/busybox
  chmod 755 base/bin/busybox
  layer base bin/busybox
}

app() {
  mkdir -p app/www
  echo "hello from nix, revision $revision" > app/www/index.html
  layer app www/index.html
}

# 200 MB that no compressor makes much smaller: its window is shorter than one round.
big() {
  mkdir big
  gzip -c "$tools/busybox" > once
  round=0
  while [ "$(stat -c %s big/big)" -lt 200000000 ]; do
    echo "$round"
    cat once
    round=$((round + 1))
  done > big/big
  layer big big
}

# entry NAME MODE TYPE: the header of a file without content, whatever a sandbox
# would not let us make: TYPE 0 is a file, 3 a character device.
entry() {
  sum=$(block "$@" "" | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { print sum + 8 * 32 }')
  block "$@" "$(printf %06o "$sum")"
}

block() {
  printf '%-100s%-8s%-8s%-8s%-12s%-12s%-8s%s%-100s%-255s' \
    "$1" "$2" 0000000 0000000 00000000000 00000000001 "$4" "$3" "" "ustar 00" | tr ' ' '\000'
}

# hostile NAME MODE TYPE: a layer of this one entry.
hostile() {
  { entry "$@"; head -c 1024 /dev/zero; } > hostile.tar
}

# archive LAYER.tar...: the docker-archive on standard output. $configMore goes
# into its configuration, $repoTags into its manifest; the diff ids are those of
# $idsFrom if that is set.
archive() {
  ids=""
  names=""
  for file in "$@"; do
    id=$(sha256sum < "${idsFrom:-$file}" | cut -d ' ' -f 1)
    ids="$ids${ids:+,}\"sha256:$id\""
    names="$names${names:+,}\"$file\""
  done
  command='"Entrypoint":["/bin/busybox"],"Cmd":["httpd","-f","-p","8080","-h","/www"]'${configMore:-}
  echo "{\"architecture\":\"$architecture\",\"os\":\"linux\",\"config\":{$command},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$ids]}}" > config.json
  # The name in here is one that nobody asked for: the import must not use it.
  echo "[{\"Config\":\"config.json\",\"RepoTags\":${repoTags:-[\"not-asked-for:latest\"]},\"Layers\":[$names]}]" > manifest.json
  touch -d @1 "$@" config.json manifest.json
  tar -cf - "$@" config.json manifest.json
}

network() {
  if wget -T 60 -q -O /dev/null "$networkTarget" 2> why; then
    echo "the network can be reached" >&2
  else
    echo "the network is out of reach: $(cat why)" >&2
    exit 1
  fi
}

# The builder Pod's own files, the volume beside the store, and paths of the store nobody gave us.
outside() {
  for path in /app/build.js /usr/bin/nix /nix/home /nix/enbi /nix/var/nix/db; do
    if ! ls "$path" > /dev/null 2>&1; then
      echo "outside is out of reach: $path" >&2
      exit 1
    fi
  done
  grep -q nixbld /etc/passwd && { echo "outside is out of reach: /etc/passwd is the sandbox's own" >&2; exit 1; }
  echo "outside can be read: $(wc -l < /etc/passwd) lines of /etc/passwd" >&2
}
