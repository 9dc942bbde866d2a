# Makes the files of a Docker archive in $out: a layer for each store path that
# the $contents need, one of symbolic links to them, and what lists these.
# Sourced by busybox sh with $tools set.
$tools/busybox mkdir bin root
$tools/busybox --install -s "$PWD/bin"
export PATH=$PWD/bin
mkdir $out
ids= names=

# add NAME: the layer of that name is the next one.
add() {
  ids="$ids${ids:+,}\"sha256:$(sha256sum < "$out/$1" | cut -d ' ' -f 1)\""
  names="$names${names:+,}\"$1\""
}

number=0
cat graph-* | grep '^/nix/store/' | sort -u > paths
for path in $(cat paths); do
  number=$((number + 1))
  # What is left when there may be no more layers goes into one.
  if [ $number -lt $((maxLayers - 1)) ]; then
    tar -C / -cf "$out/$number.tar" "${path#/}"
    add "$number.tar"
  else
    echo "${path#/}" >> rest
  fi
done
if [ -e rest ]; then
  tar -C / -cf "$out/rest.tar" -T rest
  add rest.tar
fi

# The first of several files of one path wins.
for path in $contents; do
  (cd "$path" && find . -type d) | while read -r folder; do mkdir -p "root/$folder"; done
  (cd "$path" && find . ! -type d) | while read -r file; do
    [ -e "root/$file" ] || [ -L "root/$file" ] || ln -s "$path/$file" "root/$file"
  done
done
(cd root && eval "$extraCommands")
find root -exec touch -h -d @1 {} +
tar -C root -cf "$out/links.tar" .
add links.tar

echo "{\"architecture\":\"$architecture\",\"created\":\"$created\",\"os\":\"linux\",\"config\":$config,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$ids]}}" > "$out/config.json"
echo "[{\"Config\":\"config.json\",\"RepoTags\":null,\"Layers\":[$names]}]" > "$out/manifest.json"
