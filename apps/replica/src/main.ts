import { createRedisRegistry, type Registry } from "@remote-runtime/registry";
import {
  createKeyring,
  createLog,
  createMetrics,
  createShutdown,
  exitOnConfigError,
  listen,
  mountPages,
  type Log,
  type Shutdown,
} from "@remote-runtime/server";
import { openApiDocument, routes } from "@remote-runtime/protocol";
import { readReplicaConfig, type ReplicaConfig } from "./config.ts";
import { createReplica } from "./replica.ts";
import { version } from "./version.ts";

type Parts = { config: ReplicaConfig; log: Log; shutdown: Shutdown; registry: Registry };

async function main(): Promise<void> {
  const config = readReplicaConfig(process.env);
  const log = createLog({ name: "replica", level: config.LOG_LEVEL });
  using shutdown = createShutdown({ log, graceMs: config.SHUTDOWN_GRACE_SECONDS * 1000 });
  const registry = createRedisRegistry({ url: config.REDIS_URL, log });
  try {
    await serve({ config, log, shutdown, registry });
  } catch (error) {
    // Told to end while it still waited for the engine.
    if (error !== shutdown.signal.reason) throw error;
  } finally {
    await registry.close();
  }
}

async function serve({ config, log, shutdown, registry }: Parts): Promise<void> {
  const metrics = createMetrics();
  const replica = await createReplica({
    config,
    host: config.HOST,
    port: config.PORT,
    replicaId: config.REPLICA_ID,
    publicUrl: config.PUBLIC_URL,
    publicPort: config.PUBLIC_PORT,
    internalUrl: config.INTERNAL_URL,
    registry,
    keyring: createKeyring(config.API_KEYS),
    key: config.API_KEYS[0]?.key,
    metrics,
    log,
    version,
    signal: shutdown.signal,
  });
  mountPages(replica.app, {
    title: `OpenHands remote runtime: replica ${replica.id}`,
    version,
    description:
      "One replica: it runs sandboxes on its own Docker engine. Clients usually begin at the gateway.",
    metrics,
    openApi: openApiDocument(routes, { version }),
  });
  await replica.adopt(shutdown.signal);
  const server = await listen({
    fetch: replica.app.fetch,
    sandbox: replica.sandbox,
    host: config.HOST,
    port: config.PORT,
    signal: shutdown.signal,
    log,
  });
  log.info({ url: server.url }, "listening");
  await replica.join(server.port);
  const draining = replica.drain(shutdown.leaving, shutdown.signal).then(shutdown.finish);
  await Promise.all([replica.run(shutdown.signal), draining]);
  await server.close();
}

await main().catch(exitOnConfigError);
