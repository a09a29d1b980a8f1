#!/bin/sh
# Runs a command in an image's file system as an engine would, without an engine: read-only root, scratch and volumes
# mounted, a numeric user, no capability, no new privileges, process 1 of its own namespace. The network is the
# machine's. For `./vortex image check`, which starts it as
#
#   unshare --mount --pid --ipc --fork --kill-child enter-image.sh ROOT USER:GROUP FOLDER [MOUNT]... -- COMMAND [WORD]...
#
# MOUNT is `bind SOURCE TARGET ro|rw` or `tmpfs TARGET OPTIONS`. All mounts are this namespace's and go with it.
set -eu

root=$1
user=$2
folder=$3
shift 3

mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  case $1 in
    bind)
      if [ -d "$2" ]; then
        mkdir -p "$root$3"
      else
        mkdir -p "$(dirname -- "$root$3")"
        [ -e "$root$3" ] || : > "$root$3"
      fi
      mount --bind "$2" "$root$3"
      [ "$4" = rw ] || mount -o remount,bind,ro "$root$3"
      shift 4
      ;;
    tmpfs)
      mkdir -p "$root$2"
      mount -t tmpfs -o "$3" tmpfs "$root$2"
      shift 3
      ;;
    *) echo "enter-image: unknown mount $1" >&2; exit 125 ;;
  esac
done
shift
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=755,size=64k,nosuid,noexec tmpfs "$root/dev"
for device in null zero random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" env --chdir "$folder" "$@"
