import { join } from "node:path";
import { createGateway, environmentNames as gatewayNames } from "@remote-runtime/gateway";
import { adminRoutes, openApiDocument, routes, ServiceError } from "@remote-runtime/protocol";
import { createSqliteRegistry, type Registry } from "@remote-runtime/registry";
import { createReplica, environmentNames as replicaNames } from "@remote-runtime/replica";
import {
  ConfigError,
  createKeyring,
  createLog,
  createMetrics,
  createShutdown,
  exitOnConfigError,
  listen,
  mountPages,
  type ApiKey,
  type Log,
  type Shutdown,
} from "@remote-runtime/server";
import manifest from "../package.json" with { type: "json" };
import { keptApiKeys, keptReplicaId, makeDataDir } from "./data-dir.ts";
import { greeting } from "./greeting.ts";
import { ignoredSettings, readStandaloneConfig, USAGE, type StandaloneConfig } from "./config.ts";

const { version } = manifest;

type Parts = {
  config: StandaloneConfig;
  log: Log;
  shutdown: Shutdown;
  registry: Registry;
  keys: readonly ApiKey[];
  replicaId: string;
};

/** A gateway and one replica in one process: the same parts as on many machines, with a file in Redis' place. */
async function main(): Promise<void> {
  const config = readStandaloneConfig(process.argv.slice(2), process.env);
  if (config === "help") {
    process.stdout.write(USAGE);
    return;
  }
  const log = createLog({ name: "standalone", level: config.LOG_LEVEL });
  using shutdown = createShutdown({ log });
  const ignored = ignoredSettings(process.env, [...gatewayNames, ...replicaNames]);
  if (ignored !== undefined) log.warn(ignored);
  makeDataDir(config.DATA_DIR);
  const keys = config.API_KEYS ?? (await keptApiKeys(config.DATA_DIR));
  const replicaId = config.REPLICA_ID ?? (await keptReplicaId(config.DATA_DIR));
  const registry = openRegistry(config.DATA_DIR);
  try {
    await serve({ config, log, shutdown, registry, keys, replicaId });
  } catch (error) {
    // Told to end while it still waited for the engine.
    if (error !== shutdown.signal.reason) throw error;
  } finally {
    await registry.close();
  }
}

async function serve({ config, log, shutdown, registry, keys, replicaId }: Parts): Promise<void> {
  const metrics = createMetrics();
  const keyring = createKeyring(keys);

  const replica = await createReplica({
    config,
    host: config.HOST,
    port: config.PORT,
    replicaId,
    publicUrl: config.PUBLIC_URL,
    publicPort: undefined,
    internalUrl: undefined,
    buildFolder: join(config.DATA_DIR, "builds"),
    registry,
    keyring,
    metrics,
    log,
    version,
    signal: shutdown.signal,
  });
  const gateway = createGateway({
    routing: "local",
    publicUrl: config.PUBLIC_URL,
    wildcardBase: config.RUNTIME_URL_BASE,
    // The one replica is this process: it cannot be gone.
    replicaLostMs: 0,
    registry,
    keyring,
    metrics,
    log,
    version,
    local: replica.handlers,
  });
  mountPages(gateway.app, {
    title: "OpenHands remote runtime",
    version,
    description: "Starts sandboxes for OpenHands clients on this machine's Docker engine.",
    metrics,
    openApi: openApiDocument({ ...routes, ...adminRoutes }, { version }),
  });

  await replica.adopt(shutdown.signal);
  // The port is known only once it is open, and until the gateway knows its replica it would say that there is none.
  const joined = Promise.withResolvers<void>();
  const server = await listen({
    fetch: async (request, env) => {
      // Of itself the replica asks before it has joined.
      if (new URL(request.url).pathname === "/health") return replica.app.fetch(request, env);
      await joined.promise;
      return gateway.app.fetch(request, env);
    },
    quick: gateway.quick,
    sandbox: replica.sandbox,
    host: config.HOST,
    port: config.PORT,
    signal: shutdown.signal,
    log,
  });
  await replica.join(server.port);
  await gateway.refresh();
  joined.resolve();
  const running = [replica.run(shutdown.signal), gateway.run(shutdown.signal)];
  // Whoever reads it may be gone, as after `npm start | head`: that is no reason to end.
  process.stdout.on("error", () => undefined);
  process.stdout.write(
    greeting({ url: server.url, key: keys[0]?.key ?? "", ownKey: config.API_KEYS === undefined }),
  );
  await Promise.all(running);
  await server.close();
}

/** Two servers cannot share one DATA_DIR: that is a matter of configuration. */
function openRegistry(folder: string): Registry {
  try {
    return createSqliteRegistry({ path: join(folder, "registry.sqlite"), now: Date.now });
  } catch (error) {
    const problem = `DATA_DIR: ${ServiceError.from(error).message}; give this server a DATA_DIR of its own`;
    throw new ConfigError([problem], { cause: error });
  }
}

await main().catch(exitOnConfigError);
