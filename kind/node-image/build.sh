#!/usr/bin/env bash
# You get the programs of a kind node in the folder that is given as argument,
# built from Go modules: bin/ for the node, control-plane/ for the one image
# that stands for all of kubeadm's. The first time takes ten minutes or more;
# Go's own cache makes later ones quick.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../common.sh"
. "$here/../go.sh"
out=$1

version=$(sed -nE 's/^\tk8s.io\/kubernetes (v[0-9.]+)$/\1/p' "$here/kubernetes/go.mod")
component=k8s.io/component-base/version

# build MODULE NAME PACKAGE [FLAG…]
build() {
  local module=$1 name=$2 package=$3
  shift 3
  (cd "$here/$module" && CGO_ENABLED=${CGO_ENABLED:-0} logged "build-$(basename "$name")" \
    go build -trimpath -buildvcs=false "$@" -o "$out/$name" "$package")
}

mkdir -p "$out"/{bin,cni,control-plane}
say "Building the node's own programs …"
containerd=github.com/containerd/containerd/v2
for program in containerd ctr containerd-shim-runc-v2; do
  build tools bin/$program $containerd/cmd/$program -ldflags "-s -w"
done
for plugin in main/ptp main/loopback ipam/host-local meta/portmap; do
  build tools "cni/${plugin#*/}" "github.com/containernetworking/plugins/plugins/$plugin" -ldflags "-s -w"
done
# Static, for the node's libraries are older or newer than this machine's.
install_packages gcc libc6-dev libseccomp-dev pkg-config
CGO_ENABLED=1 build tools bin/runc github.com/opencontainers/runc \
  -tags "seccomp netgo osusergo" -ldflags "-s -w -linkmode external -extldflags -static"
gcc -Os -static -s -o "$out/control-plane/pause" "$here/pause/pause.c"

say "Building etcd and CoreDNS …"
build tools control-plane/etcd go.etcd.io/etcd/server/v3 -ldflags "-s -w"
build tools control-plane/coredns ./coredns -ldflags "-s -w"

say "Building Kubernetes $version, up to ten minutes …"
build kubernetes control-plane/kubernetes . -ldflags "-s -w -X $component.gitVersion=$version \
  -X $component.gitMajor=1 -X $component.gitMinor=$(cut -d. -f2 <<<"$version")"
for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubeadm kubectl kubelet; do
  ln -sf kubernetes "$out/control-plane/$name"
done
echo "$version" >"$out/version"
