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

# How many replicas "up" makes: what its arguments say, else REPLICAS in the environment or in .env.
replica_count() {
  count=${REPLICAS:-$(sed -n "s/^REPLICAS=[\"']\{0,1\}\([0-9]*\).*/\1/p" .env 2>/dev/null | tail -n 1)}
  for argument in "$@"; do
    case "$argument" in replica=* | --scale=replica=*) count=${argument##*=} ;; esac
  done
  printf '%s\n' "${count:-4}"
}

# The host ports of running containers, one a line.
host_ports() {
  [ $# -eq 0 ] || docker inspect --format '{{range .NetworkSettings.Ports}}{{range .}}{{println .HostPort}}{{end}}{{end}}' "$@"
}

# Host ports that something other than this project's replicas holds or is about to, as far as can be seen from here.
# A list of ids is meant to be split into words.
# shellcheck disable=SC2046
taken_ports() {
  own=$(host_ports $(docker compose ps --quiet replica))
  {
    docker compose config | sed -n 's/^ *published: "\([0-9]*\)"$/\1/p'
    # One that ends just now is not found any more.
    host_ports $(docker ps --quiet) 2>/dev/null || true
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { sub(".*:", "", $2); print "0x" $2 }' |
      while read -r port; do printf '%d\n' "$port"; done
  } | grep -vxF -e "${own:-none}" || true
}

# Whether the ports from $1 on, $2 of them, are none of the list $3.
are_free() {
  printf '%s\n' "$3" | awk -v from="$1" -v count="$2" '
    $1 >= from && $1 < from + count { taken = 1 }
    END { exit taken }'
}

range_of() { if [ "$2" -eq 1 ]; then echo "$1"; else echo "$1-$(($1 + $2 - 1))"; fi; }

# Exactly as many host ports as there are replicas, so that one that is started again gets the port back that it had, and
# URLs that clients hold lead there. Those of the last "up" where they are free, or held by these replicas.
ensure_replica_ports() {
  if [ -n "${REPLICA_PORTS:-}" ] || ! docker compose config replica | grep -q '^ *published: "0"$'; then return; fi
  count=$(replica_count "$@")
  case "$count" in 0 | *[!0-9]*) return ;; esac
  taken=$(taken_ports)
  last=$(docker compose ps --all --quiet replica | head -n 1)
  kept=${last:+$(docker inspect --format '{{range .HostConfig.PortBindings}}{{range .}}{{.HostPort}}{{end}}{{end}}' "$last")}
  first=${kept%%-*}
  if [ "${first:-0}" -eq 0 ] || [ "$kept" != "$(range_of "$first" "$count")" ]; then first=8101; fi
  if ! are_free "$first" "$count" "$taken"; then first=8101; fi
  until are_free "$first" "$count" "$taken"; do
    first=$((first + count))
    [ $((first + count)) -le 10000 ] || die "no $count host ports in a row are free below 10000: set REPLICA_PORTS to free ones"
  done
  REPLICA_PORTS=$(range_of "$first" "$count")
  export REPLICA_PORTS
}

# The profile may be named in the environment or in .env.
registry_if_wanted() { docker compose config --services | grep -x registry || true; }

up() {
  scripts/ensure-docker.sh
  scripts/ensure-images.sh node redis $(registry_if_wanted)
  ensure_key
  # What takes long comes before the choice of ports, which may be another's a minute later.
  docker compose build
  ensure_replica_ports "$@"
  if ! docker compose up --detach --wait --wait-timeout 180 --scale "replica=$(replica_count)" "$@"; then
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
