import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureStubImage, startRedis, type TestRedis } from "@remote-runtime/testing";
import { freePort, type App } from "../fault/program.ts";
import { containersWith, docker } from "../support/docker.ts";
import { createMember, type Member } from "./member.ts";

const REPLICA_LABEL = "openhands.runtime.replica";
/** Killed processes leave an engine at work for them: what it still makes is removed for so long. */
const REMOVE_DEADLINE_MS = 60_000;

export type ClusterOptions = {
  /** How many of each are started. Default 1 gateway and 2 replicas. */
  gateways?: number;
  replicas?: number;
  /** Settings over the cluster's own, for each server. Default none. */
  env?: (app: App, index: number) => Readonly<Record<string, string>>;
  /** The Redis's password. Default none. */
  password?: string;
  /** Where the servers find the Redis; default: at its own URL. */
  redisUrl?: (redis: TestRedis) => string;
};

/** Gateways and replicas as processes, all replicas on this machine's engine, and one Redis. */
export interface Cluster extends AsyncDisposable {
  readonly image: string;
  readonly key: string;
  readonly redis: TestRedis;
  /** The first of the gateways. */
  readonly gateway: Member;
  readonly gateways: readonly Member[];
  readonly replicas: readonly Member[];
  /** Another replica of the same cluster, that does not run yet. */
  addReplica(id: string, env?: Readonly<Record<string, string>>): Promise<Member>;
  /** Names of the containers that replicas of this cluster made, in any state: the ids of their runtimes. */
  containers(): Promise<string[]>;
}

/** Starts all of them and waits until they answer. Disposing ends them and removes everything that they made. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { gateways = 1, replicas = 2, env = () => ({}) } = options;
  const resources = new AsyncDisposableStack();
  try {
    const image = await ensureStubImage({ log: console.error });
    const name = `test-${randomBytes(6).toString("hex")}`;
    const network = `openhands-${name}`;
    const key = randomBytes(18).toString("base64url");
    const ids: string[] = [];
    const containers = async (): Promise<string[]> =>
      (await Promise.all(ids.map((id) => containersWith(`${REPLICA_LABEL}=${id}`)))).flat();
    // What a killed server leaves there, uploads say, goes with the cluster.
    const temporary = await mkdtemp(join(tmpdir(), "openhands-cluster-"));
    resources.defer(() => rm(temporary, { recursive: true, force: true }));
    resources.defer(() => removeAll(containers, network));
    const { password } = options;
    const redis = resources.use(await startRedis(password === undefined ? {} : { password }));

    async function add(app: App, id: string, more: Readonly<Record<string, string>>) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const own = { REPLICA_ID: id, SANDBOX_NETWORK: network, INTERNAL_URL: url };
      if (app === "replica") ids.push(id);
      const settings = {
        API_KEYS: `alice=${key}`,
        HOST: "127.0.0.1",
        PORT: String(port),
        TMPDIR: temporary,
        REDIS_URL: options.redisUrl?.(redis) ?? redis.url,
        ...(app === "replica" ? own : {}),
        ...more,
      };
      return resources.use(createMember({ app, id, url, key, env: settings }));
    }
    const addMany = (app: App, count: number): Promise<Member[]> =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          add(app, `${name}-${app[0]}${index + 1}`, env(app, index)),
        ),
      );
    const members = {
      replicas: await addMany("replica", replicas),
      gateways: await addMany("gateway", gateways),
    };
    // The gateways last: each reads the ring before it answers.
    for (const one of [members.replicas, members.gateways]) {
      await Promise.all(one.map((member) => member.restart()));
    }
    const [gateway] = members.gateways;
    if (!gateway) throw new Error("a cluster has a gateway");
    return {
      image,
      key,
      redis,
      gateway,
      ...members,
      addReplica: (id, more = {}) => add("replica", `${name}-${id}`, more),
      containers,
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** The engine may still be at work for a process that was killed a moment ago, so it is looked twice. */
async function removeAll(containers: () => Promise<string[]>, network: string): Promise<void> {
  const deadline = performance.now() + REMOVE_DEADLINE_MS;
  for (let empty = 0; empty < 2 && performance.now() < deadline;) {
    const names = await containers();
    empty = names.length === 0 ? empty + 1 : 0;
    // One that is being removed already is an error here, and gone at the next look.
    if (names.length > 0)
      await docker("rm", "--force", "--volumes", ...names).catch(() => undefined);
  }
  if ((await docker("network", "ls", "--quiet", "--filter", `name=^${network}$`)) !== "") {
    await docker("network", "rm", network);
  }
}
