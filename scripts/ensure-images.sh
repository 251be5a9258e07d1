#!/bin/sh
# Makes sure that the engine has the base images named as arguments: present, else pulled, else made.
#   scripts/ensure-images.sh node redis debian
# Where no image registry can be reached, Debian 12 or 13 makes stand-ins from its own packages
# (as root); they carry the label stand-in=true.
set -eu

say() { printf 'images: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

reference_of() {
  case "$1" in
    node) echo node:24-bookworm-slim ;;
    redis) echo redis:7.4.6-alpine ;;
    debian) echo debian:trixie-slim ;;
    registry) echo registry:2.8.3 ;;
    *) die "unknown base image '$1'; known are: node, redis, debian, registry" ;;
  esac
}

debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | sort -u | head -n 1
}

make_node() {
  case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) die "no Node package for $(uname -m)" ;; esac
  # npm finds its global folder from the real path of the node binary, so the binary is moved, not linked.
  mmdebstrap -q --variant=minbase --include=ca-certificates \
    --customize-hook="npm install --silent --global --prefix \"\$1/usr/local\" node-linux-$arch@24 npm@11 >&2" \
    --customize-hook="mv \"\$1/usr/local/lib/node_modules/node-linux-$arch/bin/node\" \"\$1/usr/local/bin/node\"" \
    --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
    bookworm - "$1"
}
make_redis() { mmdebstrap -q --variant=extract --include=redis-server bookworm - "$1"; }
make_debian() {
  mmdebstrap -q --variant=minbase --include=ca-certificates \
    --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
    trixie - "$1"
}
# Program and settings are where the published image has them; Debian's own settings want a password. wget is for compose's
# health check.
make_registry() {
  mmdebstrap -q --variant=minbase --include=ca-certificates,docker-registry,wget \
    --customize-hook='ln -s docker-registry "$1/usr/bin/registry"' \
    --customize-hook='printf "version: 0.1\nstorage:\n  filesystem: { rootdirectory: /var/lib/registry }\n  delete: { enabled: true }\nhttp:\n  addr: :5000\n" >"$1/etc/docker/registry/config.yml"' \
    --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
    trixie - "$1"
}

make_stand_in() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 ||
    die "$2 is not here and cannot be pulled; connect to an image registry (a stand-in can be made only on Debian, as root)"
  if ! command -v mmdebstrap >/dev/null 2>&1; then
    apt-get update -q >/dev/null 2>&1 || true
    apt-get install -q -y --no-install-recommends mmdebstrap >/dev/null 2>&1 || die "mmdebstrap could not be installed; it is needed to make $2"
  fi
  [ -n "$(debian_mirror)" ] || apt-get update -q >/dev/null 2>&1 || true
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "no Debian mirror found in the package lists; it is needed to make $2"
  say "no image registry has $2: making a stand-in from Debian's packages (about a minute)"
  # Not piped into docker: a half-made image must not get the name.
  "make_$1" "$mirror" >"$files" 2>"$files.log" || { tail -n 20 "$files.log" >&2; die "$2 could not be made"; }
  docker import -c 'LABEL stand-in=true' -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' "$files" "$2" >/dev/null
}

[ $# -gt 0 ] || die "name the base images: node, redis, debian, registry"
files=$(mktemp)
trap 'rm -f "$files" "$files.log"' EXIT
for name in "$@"; do
  reference=$(reference_of "$name")
  if docker image inspect "$reference" >/dev/null 2>&1; then continue; fi
  say "pulling $reference"
  if timeout 900 docker pull -q "$reference" >/dev/null 2>&1; then continue; fi
  make_stand_in "$name" "$reference"
done
