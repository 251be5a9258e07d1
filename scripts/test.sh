#!/bin/sh
# npm test: the whole gate, from a clean clone: set-up, format, lint, types, boundaries, unused code, every test.
# Arguments go to vitest: npm test -- --project unit
set -eu
cd "$(dirname "$0")/.."
scripts/ensure-packages.sh
export PATH="$PWD/node_modules/.bin:$PATH" TURBO_TELEMETRY_DISABLED=1
if [ $# -gt 0 ]; then exec vitest run "$@"; fi
scripts/ensure-docker.sh
scripts/ensure-images.sh node redis debian registry
echo "images: the real servers and clients (first time: some minutes)" >&2
node test/real-image/ensure-real-images.ts
exec npx -y pnpm@12.21.0 check
