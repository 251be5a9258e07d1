import { randomBytes } from "node:crypto";
import { startCluster, type Cluster } from "../cluster/cluster.ts";
import { startOwnEngine, type OwnEngine } from "../support/own-engine.ts";

/** A gateway, and replicas of which each has an engine of its own. */
export interface EnginesCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  /** In the order of the cluster's replicas; the first one has the base image. */
  readonly engines: readonly [OwnEngine, OwnEngine];
  /** A word that is in no other test's images. */
  readonly marker: string;
}

/** Small, as it is sent about. */
export const BASE_IMAGE = "debian:trixie-slim";

const AGENT = `
  my $server = IO::Socket::INET->new(LocalPort => 60000, Listen => 9, ReuseAddr => 1) or die $!;
  while (my $client = $server->accept) {
    sysread $client, my $request, 4096;
    print $client "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok";
    close $client;
  }`;

/** A command that answers /alive in the base image. */
export const AGENT_COMMAND = ["perl", "-MIO::Socket::INET", "-e", AGENT];

/** Two engines that trust the registries without TLS, and a replica on each with these settings. */
export async function startEnginesCluster(options: {
  trusted: readonly string[];
  env?: Readonly<Record<string, string>>;
}): Promise<EnginesCluster> {
  const resources = new AsyncDisposableStack();
  try {
    const { engines } = resources.use(await startTwoEngines(options.trusted));
    await engines[0].load(BASE_IMAGE);
    const cluster = resources.use(await startClusterOn(engines, options.env));
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

/** Two engines without images, that trust the registries without TLS. */
export async function startTwoEngines(
  trusted: readonly string[],
): Promise<AsyncDisposable & Pick<EnginesCluster, "engines">> {
  const resources = new AsyncDisposableStack();
  const trust = trusted.flatMap((address) => ["--insecure-registry", address]);
  try {
    const start = async () => resources.use(await startOwnEngine({ arguments: trust }));
    const engines = await Promise.all([start(), start()]);
    return { engines, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** A gateway, and a replica on each engine with these settings. */
export function startClusterOn(
  engines: EnginesCluster["engines"],
  more: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const env = (index: number) => ({
    DOCKER_HOST: engines[index]?.url ?? "",
    SANDBOX_NETWORK: "openhands-sandboxes",
    ...more,
  });
  return startCluster({ env: (app, index) => (app === "replica" ? env(index) : {}) });
}
