# The image of a server: docker build --build-arg APP=gateway|replica .
# There is no "syntax=" line: BuildKit would fetch that frontend from a registry, and the build works without one.

FROM node:24-bookworm-slim AS tools
WORKDIR /repo
ENV TURBO_TELEMETRY_DISABLED=1
RUN --mount=type=cache,target=/root/.npm npm install --global pnpm@12.21.0 turbo@2.11.11

# The part of the workspace that the server and the operator's command need, as two trees: manifests (out/json) and everything (out/full).
FROM tools AS pruned
ARG APP
COPY . .
# The root's scripts are of no use to a server; without them an edit there does not repeat the install below.
RUN : "${APP:?give --build-arg APP=gateway or APP=replica}" \
 && turbo prune "@remote-runtime/$APP" @remote-runtime/cli --docker \
 && chmod -R a+rX out \
 && cd out/json && npm pkg delete scripts && cp package.json ../full/

# Made from manifests alone, so that an edited source file does not repeat it.
FROM tools AS installed
COPY --from=pruned /repo/out/json/ ./
RUN --mount=type=cache,target=/store pnpm install --prod --frozen-lockfile --store-dir=/store

FROM node:24-bookworm-slim
# HOME has the registry credentials, .docker/config.json, if there are any.
ENV HOST=0.0.0.0 PORT=8000 NODE_ENV=production HOME=/home/server
ARG APP
WORKDIR /repo/apps/$APP
# Two layers: an edited source file makes only the small second one anew.
COPY --from=installed /repo /repo
COPY --from=pruned /repo/out/full/ /repo/
# docker compose exec gateway remote-runtime replicas
RUN ln -s /repo/apps/cli/src/main.ts /usr/local/bin/remote-runtime
# By number: not every base image has a user of that name. A replica on the host's engine socket must be given
# a user or group that may open it, as docker-compose.yml does.
USER 1000:1000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=500ms --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`, { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# With Node's own young space of 3 × 16 MiB, and its old one growing as it likes between collections, a gateway over many replicas
# takes half as much memory again.
CMD ["node", "--max-semi-space-size=4", "--heap-growing-percent=100", "src/main.ts"]
