import { hostname, tmpdir } from "node:os";
import { adminRoutes, openApiDocument, routes } from "@remote-runtime/protocol";
import { createRedisRegistry } from "@remote-runtime/registry";
import {
  createKeyring,
  createLog,
  createMetrics,
  createShutdown,
  exitOnConfigError,
  listen,
  mountPages,
  type Log,
} from "@remote-runtime/server";
import { readGatewayConfig } from "./config.ts";
import { createGateway } from "./gateway.ts";
import { removeStaleUploads } from "./uploads-folder.ts";
import { version } from "./version.ts";

async function main(): Promise<void> {
  const config = readGatewayConfig(process.env);
  const log = createLog({ name: "gateway", level: config.LOG_LEVEL });
  using shutdown = createShutdown({ log });
  await tidyUploads(log);
  const metrics = createMetrics();
  const registry = createRedisRegistry({ url: config.REDIS_URL, log });
  const gateway = createGateway({
    routing: config.ROUTING,
    publicUrl: config.PUBLIC_URL,
    wildcardBase: config.RUNTIME_URL_BASE,
    bounds: { soft: config.LOAD_BOUND, hard: config.HARD_LOAD_BOUND },
    operators: config.OPERATORS,
    replicaLostMs: config.REPLICA_LOST_SECONDS * 1000,
    buildUpload: {
      maxContextBytes: config.MAX_BUILD_CONTEXT_MIB * 1024 * 1024,
      timeoutMs: config.BUILD_UPLOAD_TIMEOUT_SECONDS * 1000,
      reserveBytes: config.DISK_RESERVE_MIB * 1024 * 1024,
    },
    registry,
    keyring: createKeyring(config.API_KEYS),
    metrics,
    log,
    version,
  });
  mountPages(gateway.app, {
    title: "OpenHands remote runtime: gateway",
    version,
    description:
      "Starts sandboxes for OpenHands clients, each on the replica that holds its image.",
    metrics,
    openApi: openApiDocument({ ...routes, ...adminRoutes }, { version }),
  });
  await gateway.learn(shutdown.signal);
  const server = await listen({
    fetch: gateway.app.fetch,
    quick: gateway.quick,
    sandbox: gateway.sandbox,
    host: config.HOST,
    port: config.PORT,
    signal: shutdown.signal,
    log,
  });
  log.info({ url: server.url, routing: config.ROUTING }, "listening");
  await gateway.run(shutdown.signal);
  await server.close();
  await registry.close();
}

/** A gateway that was killed could not do it itself. */
async function tidyUploads(log: Log): Promise<void> {
  try {
    const removed = await removeStaleUploads({ folder: tmpdir(), host: hostname(), isAlive });
    if (removed.length > 0) log.info({ removed }, "removed uploads of gateways that are gone");
  } catch (error) {
    log.warn({ err: error }, "uploads of gateways that are gone stay where they are");
  }
}

function isAlive(pid: number): boolean {
  // In a container that was started again the one before had this process's id.
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Any other refusal, as for a process of somebody else's, says that there is one.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

await main().catch(exitOnConfigError);
