#!/usr/bin/env bash
# A life by hand, as README shows it: start, wait, run a command, list, stop. The arguments are the command of the sandbox;
# without any it is the image's own. URL, KEY, IMAGE and SESSION come from the environment.
# Exit code 22 where the server refuses (curl's own, with the answer on stdout), 3 where the sandbox fails, 4 where it takes
# too long, 1 where an answer is not what it should be.
set -euo pipefail

api() {
  local path=$1
  shift
  curl --silent --show-error --fail-with-body --max-time 30 --header "X-API-Key: $KEY" "$URL$path" "$@"
}

start=$(jq --null-input --arg image "$IMAGE" --arg session "$SESSION" \
  '{image: $image, session_id: $session} + if $ARGS.positional == [] then {} else {command: $ARGS.positional} end' --args -- "$@")
answer=$(api /start --data "$start") || {
  code=$?
  printf '%s\n' "$answer"
  exit "$code"
}
id=$(jq --raw-output .runtime_id <<<"$answer")

while :; do
  runtime=$(api "/runtime/$id")
  case $(jq --raw-output .pod_status <<<"$runtime") in
    Ready) break ;;
    Failed | CrashLoopBackOff)
      jq --raw-output .status_detail <<<"$runtime"
      exit 3
      ;;
  esac
  [ "$SECONDS" -lt 60 ] || exit 4
  sleep 0.2
done

agent=$(jq --raw-output .url <<<"$runtime")
curl --silent --show-error --fail --max-time 30 --output /dev/null "$agent/alive"
session_key=$(jq --raw-output .session_api_key <<<"$runtime")
curl --silent --show-error --fail --max-time 30 --header "X-Session-API-Key: $session_key" \
  "$agent/execute_bash" --data '{"command": "echo hello from $((40 + 2))"}' | jq --raw-output .stdout

api /list | jq --exit-status --arg id "$id" '[.runtimes[] | select(.status == "running").runtime_id] == [$id]' >/dev/null
api /stop --data "$(jq --null-input --arg id "$id" '{runtime_id: $id}')" | jq --raw-output .status
api /list | jq --exit-status '.total == 0' >/dev/null
