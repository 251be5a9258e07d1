# What shell scripts use. In a file of its own: an image is built anew whenever its file changes.
FROM debian:trixie-slim AS shell-client
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bash ca-certificates curl jq \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /tmp
