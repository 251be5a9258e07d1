#!/bin/sh
# The whole system on this machine's Docker engine: one gateway, Redis and REPLICAS (default 4) replicas.
#   scripts/compose.sh up [arguments for docker compose up]
#   scripts/compose.sh down [arguments for docker compose down]
# "up" comes back when all of it is healthy, and prints what a client needs. "down" removes this project's sandboxes and
# their network as well; those of other servers on the same engine stay.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'compose: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

key_names='API_KEYS ALLHANDS_API_KEY OPENHANDS_API_KEY SANDBOX_API_KEY'
key_file=.data/api-key

key_given() {
  for name in $key_names; do
    eval "[ -n \"\${$name:-}\" ]" && return
    [ -f .env ] && grep -Eq "^[[:space:]]*(export[[:space:]]+)?$name=[\"']?[^\"'[:space:]]" .env && return
  done
  return 1
}

ensure_key() {
  if key_given; then return; fi
  if [ ! -s "$key_file" ]; then
    mkdir -p .data
    # Made under another name: an interrupted run must not leave half a key.
    (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$key_file.new")
    mv "$key_file.new" "$key_file"
    say "made an API key, kept in $key_file"
  fi
  API_KEYS=$(cat "$key_file")
  export API_KEYS
}

# The first key that the gateway was given, without its name.
client_key() {
  environment=$(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1")
  for name in $key_names; do
    key=$(printf '%s\n' "$environment" | sed -n "s/^$name=//p")
    if [ -n "$key" ]; then
      key=${key%%,*}
      printf '%s\n' "${key#*=}"
      return
    fi
  done
}

# As seen from this machine: the wildcard address says where a port is published, not where to find it.
published_url() {
  docker port "$1" 8000/tcp | sed -n 's/^0\.0\.0\.0:/localhost:/; s/^\[::\]:/localhost:/; s|^|http://|p' | head -n 1
}

print_help() {
  gateway=$(docker compose ps --quiet gateway)
  url=$(published_url "$gateway")
  key=$(client_key "$gateway")
  cat <<HELP

The gateway answers at $url

  export SANDBOX_REMOTE_RUNTIME_API_URL=$url
  export ALLHANDS_API_KEY=$key
  curl -H "X-API-Key: $key" $url/list

The replicas, which clients are led to by themselves:
HELP
  for replica in $(docker compose ps --quiet replica); do
    printf '  %s\n' "$(published_url "$replica")"
  done
  printf '\nLogs: docker compose logs --follow    End: npm run compose:down\n'
}

# The profile may be named in the environment or in .env.
registry_if_wanted() { docker compose config --services | grep -x registry || true; }

up() {
  scripts/ensure-docker.sh
  scripts/ensure-images.sh node redis $(registry_if_wanted)
  ensure_key
  if ! docker compose up --build --detach --wait --wait-timeout 180 --scale "replica=${REPLICAS:-4}" "$@"; then
    docker compose logs --no-color --tail 5 gateway replica >&2 || true
    die "not everything came up; see 'docker compose ps' and 'docker compose logs'"
  fi
  print_help
}

project_name() { docker compose config | sed -n 's/^name: //p'; }

# The label of a sandbox names its replica, which is named after the project.
sandboxes_of() {
  docker ps --all --filter label=openhands.runtime.id \
    --format '{{.ID}} {{.Label "openhands.runtime.replica"}}' |
    awk -v prefix="$1-replica-" 'index($2, prefix) == 1 && substr($2, length(prefix) + 1) ~ /^[0-9]+$/ { print $1 }'
}

# A list of ids is meant to be split into words.
# shellcheck disable=SC2086
remove_sandboxes() {
  containers=$(sandboxes_of "$1")
  if [ -n "$containers" ]; then
    say "removing sandboxes: $(printf '%s\n' "$containers" | wc -l | tr -d ' ')"
    docker rm --force --volumes $containers >/dev/null
  fi
}

# One that others use as well stays, as does one that is not ours.
remove_network() {
  name=$(docker compose config | sed -n 's/^ *SANDBOX_NETWORK: *//p' | tr -d '"')
  for network in $(docker network ls --quiet --filter "name=^$name\$" --filter label=openhands.runtime.network=1); do
    docker network rm "$network" >/dev/null 2>&1 || say "the network $name is still in use, so it stays"
  done
}

down() {
  docker version >/dev/null 2>&1 || die "no Docker engine answers, so nothing is running"
  # The servers first, or they would start what is still queued. They need not wait for what is about to be removed.
  docker compose stop --timeout 10 gateway replica
  remove_sandboxes "$(project_name)"
  # Also what only a profile brings up: it may be unset by now.
  docker compose --profile '*' down --volumes "$@"
  remove_network
}

command=${1:-}
[ $# -eq 0 ] || shift
case "$command" in
  up) up "$@" ;;
  down) down "$@" ;;
  *) die "usage: scripts/compose.sh up|down [arguments for docker compose]" ;;
esac
