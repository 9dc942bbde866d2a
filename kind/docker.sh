#!/usr/bin/env bash
# You get a Docker engine that answers. One that is there is used as it is. On
# Debian, as root, a missing one is installed, and started if nothing else does
# that; images and containers stay in /var/lib/docker, so that it can be run
# again after a reboot. Elsewhere it says what to install.
#
# Hosts with cgroup v1 are fine. Where the kernel withholds CAP_SYS_RESOURCE,
# privileged containers would not start ("unable to apply caps"), so containers
# then run without that capability.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

answers() { timeout 20 docker info >/dev/null 2>&1; }

# A pid file that outlived its process makes dockerd refuse to start, or look
# for its containerd in a process that has nothing to do with it.
remove_stale() {
  local file=$1 program=$2 id
  [ -e "$file" ] || return 0
  id=$(cat "$file")
  # A process that has ended but was not collected yet has no exe.
  [[ $(readlink "/proc/$id/exe") == */$program ]] || rm -f "$file"
}

lacks_sys_resource() {
  local bounding
  bounding=$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)
  [ $((0x$bounding >> 24 & 1)) = 0 ]
}

# The runtime between Docker and runc: takes the capability out of what a
# container, or a process executed in it, asks for.
write_runtime() {
  cat >"$CACHE/bin/runc-without-sys-resource" <<'RUNTIME'
#!/bin/sh
for argument; do
  case $previous in
    --bundle | -b) file=$argument/config.json ;;
    --process | -p) file=$argument ;;
  esac
  previous=$argument
done
[ -f "$file" ] && sed -i -E 's/"CAP_SYS_RESOURCE", *//g; s/, *"CAP_SYS_RESOURCE"//g' "$file"
exec runc "$@"
RUNTIME
  chmod +x "$CACHE/bin/runc-without-sys-resource"
}

start() {
  local options=() id
  if [ -d /run/systemd/system ]; then
    logged dockerd-start systemctl start docker
    return
  fi
  remove_stale /run/docker.pid dockerd
  remove_stale /run/docker/containerd/containerd.pid containerd
  if lacks_sys_resource; then
    write_runtime
    options+=(--add-runtime "reduced=$CACHE/bin/runc-without-sys-resource" --default-runtime reduced)
  fi
  # Its own pid file is Docker's usual one; a daemon that is still on its way
  # up, or slow under load, is waited for instead of started twice.
  if [ ! -e /run/docker.pid ]; then
    say "Starting dockerd …"
    setsid nohup dockerd -p /run/docker.pid "${options[@]}" >>"$LOGS/dockerd.log" 2>&1 </dev/null &
    id=$!
  else
    id=$(cat /run/docker.pid)
  fi
  for _ in $(seq 300); do
    answers && return
    kill -0 "$id" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$LOGS/dockerd.log" >&2
  fail "dockerd does not answer. Its log is $LOGS/dockerd.log."
}

answers && exit
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
  is_debian_root || fail "Docker does not answer. Install and start it (Docker Engine or Docker Desktop), make sure that" \
    "\"docker info\" works for this user, and try again. On Debian, as root, this is done for you."
  install_packages docker.io iptables
  # Later Debians keep the client apart.
  command -v docker >/dev/null || install_packages docker-cli
fi
[ "$(id -u)" = 0 ] || fail "Docker is installed but \"docker info\" does not work for this user. Start it, or add the user to the group docker."
start
say "Docker $(docker version --format '{{.Server.Version}}') answers."
