import { randomBytes } from "node:crypto";
import { ensureStubImage } from "@remote-runtime/testing";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { startOwnEngine, type OwnEngine } from "../support/own-engine.ts";

/** A gateway, and replicas of which each has an engine of its own. */
export interface EnginesCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  /** In the order of the cluster's replicas; the first one has the stub agent's image. */
  readonly engines: readonly [OwnEngine, OwnEngine];
  /** A word that is in no other test's images. */
  readonly marker: string;
}

/** Two engines that trust the registries without TLS, and a replica on each with these settings. */
export async function startEnginesCluster(options: {
  trusted: readonly string[];
  env?: Readonly<Record<string, string>>;
}): Promise<EnginesCluster> {
  const resources = new AsyncDisposableStack();
  const trust = options.trusted.flatMap((address) => ["--insecure-registry", address]);
  try {
    const image = await ensureStubImage({ log: console.error });
    const start = () => startOwnEngine({ arguments: trust });
    const engines: [OwnEngine, OwnEngine] = [
      resources.use(await start()),
      resources.use(await start()),
    ];
    await engines[0].load(image);
    const env = (index: number) => ({
      DOCKER_HOST: engines[index]?.url ?? "",
      SANDBOX_NETWORK: "openhands-sandboxes",
      ...options.env,
    });
    const cluster = resources.use(
      await startCluster({ env: (app, index) => (app === "replica" ? env(index) : {}) }),
    );
    return {
      cluster,
      engines,
      marker: `test-${randomBytes(4).toString("hex")}`,
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}
