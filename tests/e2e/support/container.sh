#!/usr/bin/env bash
# container.sh NSPAWN SHARE: boots systemd in a container whose root is this machine's, with all changes kept in memory, and
# without its network. SHARE is /share there; SHARE/run is run as root once systemd is up, and its exit code is the result.
# Needs root, and a machine that permits mounts and cgroups: `container.sh NSPAWN` without SHARE only finds that out.
set -euo pipefail
nspawn=$1 share=${2-}

if [ -z "${COUNTERSIGN_CONTAINER-}" ]; then
  # In a namespace of its own, so that nothing stays mounted.
  COUNTERSIGN_CONTAINER=1 exec unshare --mount --propagation private "$0" "$@"
fi

made=() at=$(mktemp -d)
clean() {
  umount --recursive "$at" || true
  rm -rf --one-file-system "$at" "${made[@]}"
  # What nspawn leaves of its control groups; one that is in use can't be removed.
  find /sys/fs/cgroup -depth -type d '(' -path '*/payload*' -o -path '*/supervisor*' ')' -exec rmdir {} + 2>/dev/null || true
}
trap clean EXIT
if [ -z "$share" ]; then
  share=$(mktemp -d)
  made=("$share")
  printf '#!/bin/sh\nexit 0\n' > "$share/run"
  chmod 755 "$share/run"
fi

mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
mount -t tmpfs tmpfs "$at"
mkdir "$at/upper" "$at/work" "$at/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/upper,workdir=$at/work" "$at/root"
cat > "$at/root/etc/systemd/system/run.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/share/run
TimeoutStartSec=120
ExecStopPost=/bin/sh -c 'systemctl --no-block exit $EXIT_STATUS'
UNIT
# There is no network that could come up.
ln -s /dev/null "$at/root/etc/systemd/system/network-online.target"
rm -f "$at/root/etc/machine-id"
timeout --kill-after=5 150 "$nspawn" --quiet --directory="$at/root" --register=no --keep-unit --private-network --console=pipe \
  --bind="$share:/share" /lib/systemd/systemd --unit=run.service < /dev/null
