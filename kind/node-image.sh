#!/usr/bin/env bash
# You get the image of a kind node in Docker, and its reference on stdout: kind's
# own where its registry answers, else one made here from Go modules and Debian
# packages (node-image/). Made once: the tag is a hash of everything that goes
# in, and the cache keeps the image for the day Docker has lost it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"
. "$here/debian.sh"

# What kind 0.33 was released with. Later Kubernetes refuses cgroup v1 by default.
published=kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d

# bookworm's systemd is the last that boots on cgroup v1 without being asked to.
suite=bookworm
packages=systemd,systemd-sysv,dbus,iproute2,iptables,nftables,conntrack,socat,ethtool,kmod,mount,procps,hostname,ca-certificates

# Folder for Docker with every file of the image.
lay_out() {
  local context=$1 name
  "$here/node-image/build.sh" "$context"
  cp -a "$here/node-image/root" "$here/node-image/Dockerfile" "$context/"
  cp -a "$context/control-plane/kubernetes" "$context/bin/kubernetes"
  for name in kubelet kubeadm kubectl; do ln -sf kubernetes "$context/bin/$name"; done
  mkdir -p "$context/root/kind/manifests"
  cp "$context/version" "$context/root/kind/version"
  control_plane_images "$context" >"$context/images"
  sed -i "s#@PAUSE@#$(grep /pause: "$context/images")#" "$context/root/etc/containerd/config.toml"
}

control_plane_images() { "$1/control-plane/kubeadm" config images list --kubernetes-version "$(cat "$1/version")"; }

# build_target TARGET REFERENCE
build_target() {
  logged "docker-build-$1" env DOCKER_BUILDKIT=0 docker build --target "$1" --build-arg "ROOTFS=$rootfs" -t "$2" "$context"
}

# The images of the control plane go into the node's own containerd, so that a
# new node starts its Pods at once and from nowhere.
add_control_plane() {
  local references container
  mapfile -t references <"$context/images"
  for reference in "${references[@]}"; do
    case $reference in
      */pause:*) build_target pause "$reference" ;;
      */coredns:*) build_target coredns "$reference" ;;
      *) build_target control-plane "$reference" ;;
    esac
  done
  container=$(docker run -d --entrypoint containerd "$stage")
  until docker exec "$container" ctr version >/dev/null 2>&1; do
    [ "$(docker inspect -f '{{.State.Running}}' "$container")" = true ] || fail "containerd ended: docker logs $container"
    sleep 0.1
  done
  docker save "${references[@]}" |
    docker exec -i "$container" ctr -n k8s.io images import --no-unpack --label io.cri-containerd.pinned=pinned - \
      >"$LOGS/node-image-import.log" 2>&1 || fail "The images of the control plane could not be added: $LOGS/node-image-import.log"
  docker stop "$container" >/dev/null
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' "$container" "$image" >/dev/null
  docker rm "$container" >/dev/null
  docker rmi "${references[@]}" "$stage" >/dev/null
}

if pull_if_reachable "$published"; then
  echo "$published"
  exit
fi
mapfile -t inputs < <(find "$here/node-image" -type f | sort)
hash=$(content_hash "$here/node-image.sh" "$here/debian.sh" "${inputs[@]}")
image=enbi-node:$hash
if ! restore_image "$image"; then
  context=$CACHE/node-image
  stage=enbi-node-stage:$hash
  rm -rf "$context"
  mkdir -p "$context"
  lay_out "$context"
  rootfs=enbi-node-rootfs:$(content_hash "$here/debian.sh")-$suite
  restore_image "$rootfs" || debian_image "$rootfs" "$suite" "$packages"
  say "Making the node image …"
  build_target node "$stage"
  add_control_plane
  keep_image "$image"
  rm -rf "$context"
fi
echo "$image"
