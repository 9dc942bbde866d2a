#!/usr/bin/env bash
# cluster.sh up NAME: you get a kind cluster with one control plane and two
# workers that is Ready, resolves names and has a volume for the image registry,
# and the path of its kubeconfig on stdout. One that is there is reused, one that was stopped is started, one that
# can't be mended is made anew. ~/.kube/config is left alone.
# cluster.sh down NAME: it is gone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/common.sh"

[ $# = 2 ] && [[ $1 =~ ^(up|down)$ ]] || fail "Usage: cluster.sh up|down NAME"
name=$2
export KUBECONFIG=$CACHE/$name.kubeconfig
pods=10.244.0.0/16

nodes() { docker ps -a --filter "label=io.x-k8s.kind.cluster=$name" --format '{{.Names}}' | sort; }
address() { docker inspect -f '{{.NetworkSettings.Networks.kind.IPAddress}}' "$1"; }
addresses() { for node in $(nodes); do echo "$(address "$node") $node"; done | sort -V; }

config() {
  printf '%s\n' "kind: Cluster" "apiVersion: kind.x-k8s.io/v1alpha4"
  printf '%s\n' "nodes: [{ role: control-plane }, { role: worker }, { role: worker }]"
  [[ $1 != enbi-node:* ]] || cat <<CONFIG
networking: { disableDefaultCNI: true, podSubnet: $pods }
kubeadmConfigPatches:
  - |
    kind: KubeletConfiguration
    cgroupDriver: cgroupfs
    failCgroupV1: false
# As kind's own image has it: one folder, since containerd takes its default, a pair of two, for one that is not there.
containerdConfigPatches:
  - |
    [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = '/etc/containerd/certs.d'
CONFIG
}

# The network of Pods, for our own node image: each node hands out addresses of
# its range, every node knows by which node each range is reached, and what
# leaves the cluster does so under the node's address. Routes and rules end with
# the node's container, so this is done at each start.
connect_pods() {
  local node range ranges
  ranges=$(kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}')
  [ "$(awk 'NF == 3' <<<"$ranges" | wc -l)" = "$(nodes | wc -l)" ] || return 1
  for node in $(nodes); do
    range=$(awk -v node="$node" '$1 == node { print $2 }' <<<"$ranges")
    {
      echo "set -e"
      awk -v node="$node" '$1 != node { print "ip route replace " $2 " via " $3 }' <<<"$ranges"
      rule="POSTROUTING -s $pods ! -d $pods -j MASQUERADE"
      echo "iptables -t nat -C $rule 2>/dev/null || iptables -t nat -A $rule"
      echo "mkdir -p /etc/cni/net.d; cat >/etc/cni/net.d/10-pods.conflist <<'CNI'"
      cat <<CNI
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "ptp", "ipam": { "type": "host-local", "dataDir": "/run/cni", "ranges": [[{ "subnet": "$range" }]],
    "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
CNI
      echo CNI
    } | docker exec -i "$node" sh
  done
}

# Asks every kubelet and CoreDNS themselves: after a restart the status that the
# API server has is that of before.
answers() {
  local part parts
  parts=$(nodes | sed 's#.*#nodes/&/proxy/healthz#') &&
    parts+=$(kubectl get pods --request-timeout=5s -n kube-system -l k8s-app=kube-dns -o \
      jsonpath='{range .items[*]}{"\n"}namespaces/kube-system/pods/{.metadata.name}:8181/proxy/ready{end}') || return
  for part in $parts; do kubectl get --request-timeout=5s --raw "/api/v1/$part" || return; done
  kubectl wait --for=condition=Ready nodes --all --timeout=1s &&
    kubectl wait --for=condition=Available -n kube-system deployment/coredns --timeout=1s &&
    kubectl rollout status -n kube-system daemonset/kube-proxy --timeout=1s
} >/dev/null 2>&1

own_image() { [[ $(docker inspect -f '{{.Config.Image}}' "$name-control-plane" 2>/dev/null) == enbi-node:* ]]; }

# A single node that was restarted is found to answer before it is connected.
is_up() { { ! own_image || connect_pods 2>/dev/null; } && answers; }

# become_ready SECONDS
become_ready() {
  local end=$((SECONDS + $1))
  while own_image && ! connect_pods 2>/dev/null; do
    [ $SECONDS -lt $end ] || return
    sleep 0.5
  done
  until answers; do
    [ $SECONDS -lt $end ] || return
    sleep 0.5
  done
}

# Certificates and etcd hold the addresses of the first start, and Docker hands
# out the lowest free one: the same order of starting gives the same addresses.
# dockerd, when it starts, starts nodes in no such order.
start_stopped() {
  local node
  say "Starting the nodes of $name again …"
  if [ "$(addresses)" != "$(cat "$CACHE/$name.nodes")" ]; then
    # shellcheck disable=SC2046 # one word a node
    docker stop -t 10 $(nodes) >/dev/null
  fi
  while read -r _ node; do docker start "$node" >/dev/null || return; done <"$CACHE/$name.nodes"
  [ "$(addresses)" = "$(cat "$CACHE/$name.nodes")" ] && become_ready 300
}

down() {
  [ -z "$(nodes)" ] || logged kind-delete kind delete cluster --name "$name"
  rm -f "$KUBECONFIG" "$CACHE/$name.nodes"
}

create() {
  local image
  image=$("$here/node-image.sh")
  say "Creating the cluster $name …"
  config "$image" >"$CACHE/$name.yaml"
  logged kind-create kind create cluster --name "$name" --image "$image" --config "$CACHE/$name.yaml"
  addresses >"$CACHE/$name.nodes"
  say "Waiting for its nodes and CoreDNS …"
  become_ready 300 || fail "The cluster $name did not become ready within 5 minutes. Look at it with: kubectl --kubeconfig $KUBECONFIG get nodes,pods -A"
}

up() {
  if [ -n "$(nodes)" ]; then
    [ -e "$KUBECONFIG" ] || kind get kubeconfig --name "$name" >"$KUBECONFIG" 2>/dev/null || true
    if is_up || { [ -e "$CACHE/$name.nodes" ] && start_stopped; }; then return; fi
    say "The cluster $name can't be mended and is made anew …"
    down
  fi
  create
  say "The cluster $name is ready."
}

# Where kind's own node image makes volumes for claims, ours has this one. A volume whose claim was deleted takes no
# other, and its images stay on the node.
have_volume() {
  own_image || return 0
  local phase
  phase=$(kubectl get pv image-registry --ignore-not-found -o 'jsonpath={.status.phase}')
  [ "$phase" != Released ] || kubectl delete pv image-registry >/dev/null
  [[ $phase =~ ^(Released)?$ ]] || return 0
  docker exec "$name-worker" mkdir -p /var/lib/image-registry
  kubectl create -f - >/dev/null <<VOLUME
apiVersion: v1
kind: PersistentVolume
metadata: { name: image-registry }
spec:
  accessModes: [ReadWriteOnce]
  capacity: { storage: 10Gi }
  claimRef: { namespace: enbi-system, name: image-registry }
  local: { path: /var/lib/image-registry }
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [$name-worker] }]
VOLUME
}

# Nothing is installed in order to remove nothing.
if [ "$1" = down ] && ! docker info >/dev/null 2>&1; then
  say "Docker does not run, so the cluster $name does not either."
  exit 0
fi
"$here/docker.sh"
"$here/tools.sh"
"$1"
[ "$1" = up ] || exit 0
have_volume
echo "$KUBECONFIG"
