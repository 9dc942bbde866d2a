# Makes a Docker archive: one layer, its configuration, and the list of both.
set -eu
mkdir bin root root/bin root/www
$tools/busybox --install -s "$PWD/bin"
export PATH=$PWD/bin
cp $tools/busybox root/bin/busybox
echo "Hello from an image that nobody had built until this Pod asked for it." > root/www/index.html
echo "packing the layer"
tar -C root -cf layer.tar bin www
id=$(sha256sum < layer.tar | cut -d ' ' -f 1)
cat > config.json <<CONFIG
{ "architecture": "$architecture", "os": "linux",
  "config": { "Cmd": ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"] },
  "rootfs": { "type": "layers", "diff_ids": ["sha256:$id"] } }
CONFIG
echo '[{ "Config": "config.json", "RepoTags": null, "Layers": ["layer.tar"] }]' > manifest.json
tar -cf $out layer.tar config.json manifest.json
