#!/bin/sh
# Distribution, and in turn with it the collection of what no image has any
# more. A push that met the collection could lose what it has just brought, so
# the one ends before the other begins. Who wants a collection makes the file
# `collect`; it is gone when that is done, or is `collect-failed` then. Runs in
# the folder that the images are in.
set -eu
config=/etc/distribution/config.yml
# Where nothing was pushed yet, the collection fails for want of these.
mkdir -p docker/registry/v2/blobs docker/registry/v2/repositories

# A Pod that takes the place of another begins when that has ended: the lock is held until then.
exec 9>lock
flock 9

collect() {
  if registry garbage-collect "$config"; then rm collect; else mv collect collect-failed; fi
}

serving=
stopped=
stop() { [ -z "$serving" ] || kill "$serving" 2>/dev/null || true; }
trap 'stopped=yes; stop' TERM

is_serving() { kill -0 "$serving" 2>/dev/null; }

serve() {
  registry serve "$config" &
  serving=$!
  while [ ! -e collect ] && is_serving; do sleep 1 || true; done
  [ -e collect ] || [ -n "$stopped" ] || exit 1
  stop
  # A signal ends the waiting, not what is waited for.
  while is_serving; do wait "$serving" || true; done
  serving=
}

while [ -z "$stopped" ]; do
  [ ! -e collect ] || collect
  serve
done
