#!/bin/bash
# image.sh BINARY FOLDER: builds deploy/Containerfile with buildah, and copies the file system of the image to FOLDER/image.
# The base image, which it can't fetch, has a stand-in with a few programs of this machine: apt-get does nothing, and cargo
# hands out BINARY.
set -euo pipefail
binary=$1 at=$2
cd "$(dirname "$0")/../../.."
base=$at/base
export TMPDIR=$at/tmp BUILDAH_ISOLATION=chroot
mkdir -p "$TMPDIR"
buildah() { command buildah --root "$at/graph" --runroot "$at/run" --storage-driver vfs "$@"; }

mkdir -p "$base"/{usr/bin,usr/lib,usr/lib64,etc/ssl/certs,tmp,var,root,usr/local/cargo/registry}
for link in bin lib lib64; do ln -s "usr/$link" "$base/$link"; done
linked() { { ldd "$1" 2>/dev/null || true; } | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'; }
copy() {
  local to
  to=$base$(realpath "$(dirname "$1")")
  mkdir -p "$to"
  cp -L "$1" "$to/"
}
for program in sh bash awk cp mkdir chmod dirname cat ldd; do
  cp -L "$(command -v "$program")" "$base/usr/bin/$program"
  for library in $(linked "$(command -v "$program")"); do copy "$library"; done
done
for library in $(linked "$binary"); do copy "$library"; done
cp -L /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/"
cp "$binary" "$base/root/countersign"
printf '#!/bin/sh\n' > "$base/usr/bin/apt-get"
cat > "$base/usr/bin/cargo" <<'CARGO'
#!/bin/sh
set -e
[ "$*" = "build --locked --profile dist --bin countersign" ] || { echo "cargo $*?" >&2; exit 1; }
mkdir -p target/dist
cp /root/countersign target/dist/
CARGO
chmod 755 "$base/usr/bin/apt-get" "$base/usr/bin/cargo"

name=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' deploy/Containerfile)
container=$(buildah from scratch)
buildah add --quiet "$container" "$base" / > /dev/null
buildah config --env PATH=/usr/bin "$container"
buildah commit --quiet --rm "$container" "docker.io/library/$name" > /dev/null
buildah build --pull-never --format docker -f deploy/Containerfile -t countersign .
container=$(buildah from --pull-never localhost/countersign)
cp -a "$(buildah mount "$container")" "$at/image"
buildah umount "$container" > /dev/null
rm -rf "$base" "$at/graph" "$at/run"
