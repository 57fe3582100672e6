#!/usr/bin/env bash
#
# Assembles localhost/node:24-slim, the base of the pipe's image for machines without a Docker engine or an image
# registry: Debian bookworm by debootstrap from the machine's own apt source, the Node that the lock file pins, and
# npm. Everything is kept under build/image/, and an image that is there already is left as it is. Needs root.
# Prints buildah's flags for the store that holds it, one a line.

set -euo pipefail

readonly SUITE=bookworm
readonly NPM=11.19.1
readonly IMAGE=localhost/node:24-slim

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
readonly image_dir=$root/build/image
readonly rootfs=$image_dir/rootfs
readonly node=$root/node_modules/node/bin/node
store=()

main() {
  [[ -x $node ]] || fail "$node is not there: run npm ci first"
  install_tools
  mkdir -p "$image_dir"
  local contents
  contents="node $("$node" --version), npm $NPM, debian $SUITE"
  choose_store
  if [[ $(label_of_image) != "$contents" ]]; then
    make_rootfs
    add_node
    commit_image "$contents"
    rm -rf "$rootfs"
  fi
  printf '%s: %s\n' "$IMAGE" "$contents" >&2
  printf '%s\n' "${store[@]}"
}

install_tools() {
  local missing=()
  local tool
  for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) && return
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# overlay is several times faster, but not every file system can carry it.
choose_store() {
  local driver
  for driver in overlay vfs; do
    store=(--storage-driver "$driver" --root "$image_dir/$driver" --runroot "$image_dir/$driver-run")
    in_store info >/dev/null 2>&1 && return
  done
  fail "buildah can keep no images under $image_dir"
}

in_store() {
  buildah "${store[@]}" "$@"
}

label_of_image() {
  in_store inspect --type image --format '{{index .OCIv1.Config.Labels "contents"}}' "$IMAGE" 2>/dev/null || true
}

mirror_of_apt() {
  # shellcheck disable=SC2016 # the names in the format are apt's
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $SUITE" 'Component: main' | head -n 1
}

make_rootfs() {
  local mirror
  mirror=$(mirror_of_apt)
  if [[ -z $mirror ]]; then # apt knows a source's suite only once it has its lists
    apt-get update -qq
    mirror=$(mirror_of_apt)
  fi
  [[ -n $mirror ]] || fail "apt has no source for Debian $SUITE on this machine"
  rm -rf "$rootfs"
  if ! debootstrap --variant=minbase "$SUITE" "$rootfs" "$mirror" >"$image_dir/debootstrap.log" 2>&1; then
    tail -n 5 "$image_dir/debootstrap.log" >&2
    fail "debootstrap failed; see $image_dir/debootstrap.log"
  fi
  rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* "$rootfs"/usr/share/{doc,man,locale}/*
}

# As in the official image: everything under /usr/local, and a user `node`.
add_node() {
  local modules=$rootfs/usr/local/lib/node_modules
  install -D -m 0755 "$node" "$rootfs/usr/local/bin/node"
  mkdir -p "$modules/npm"
  local tarball
  tarball=$(cd "$image_dir" && npm pack --silent "npm@$NPM")
  tar -xzf "$image_dir/$tarball" -C "$modules/npm" --strip-components 1
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$rootfs/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$rootfs/usr/local/bin/npx"
  chmod 0755 "$modules"/npm/bin/*.js
  chroot "$rootfs" useradd --create-home --uid 1000 --shell /bin/bash node
}

commit_image() { # CONTENTS
  local container
  container=$(in_store from scratch)
  in_store add --quiet "$container" "$rootfs" / >/dev/null
  in_store config --label "contents=$1" --env "NODE_VERSION=$("$node" --version | tr -d v)" \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd '["node"]' "$container"
  in_store commit --quiet --rm "$container" "$IMAGE" >/dev/null
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

main
