import { expect, test } from "vitest";
import { createSeededRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { runChaosClient, type Promises } from "./chaos-client.ts";
import { nextFault, untilHealed } from "./chaos-fault.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { containerSessions } from "./container-sessions.ts";

const ROUNDS = 9;
const CLIENTS = 3;

const textOf = (pairs: Iterable<readonly [string, string]>): string =>
  [...pairs]
    .map((pair) => pair.join("="))
    .toSorted()
    .join(" ");

const pairOf = (one: WireRuntime): [string, string] => [one.session_id, one.runtime_id];

/** Everybody knows exactly what was promised, and the engine runs it. */
async function expectKept(cluster: Cluster, { kept }: Promises): Promise<void> {
  const promised = textOf(kept);
  for (const { api } of cluster.gateways) {
    const found = await Promise.all([...kept.keys()].map(api.session));
    expect(textOf(found.map(pairOf))).toBe(promised);
    await Promise.all(found.map(api.untilReady));
    await until(
      async () => textOf((await api.list()).map(pairOf)),
      (listed) => listed === promised,
      { what: `the list ${promised}` },
    );
  }
  await until(
    async () => textOf(await containerSessions(cluster)),
    (found) => found === promised,
    { what: `one container for each: ${promised}` },
  );
}

async function expectNothingLeft(cluster: Cluster, { kept }: Promises): Promise<void> {
  await Promise.all([...kept.values()].map(cluster.gateway.api.stop));
  await until(cluster.containers, (names) => names.length === 0, { what: "no container" });
  expect(await cluster.gateway.api.list()).toEqual([]);
}

test("whatever dies, one thing after another, each session has one runtime and none is lost", async () => {
  const seed = Number(process.env["CHAOS_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
  const random = createSeededRandom(seed);
  const promises: Promises = {
    kept: new Map(),
    stopped: new Set(),
    failures: [],
    good: { starts: 0, reads: 0, stops: 0 },
  };
  const faults: string[] = [];
  await using cluster = await startCluster({ gateways: 2, replicas: 3 });
  try {
    const ending = new AbortController();
    const clients = Array.from({ length: CLIENTS }, (_, i) =>
      runChaosClient(
        {
          name: `client-${i}`,
          gateways: cluster.gateways,
          image: cluster.image,
          random: createSeededRandom(seed + i + 1),
          promises,
        },
        ending.signal,
      ),
    );
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const { what, happen } = nextFault(cluster, random);
        faults.push(`${new Date().toISOString()} ${what}`);
        await happen();
        await untilHealed(cluster, promises);
      }
    } finally {
      ending.abort();
      await Promise.all(clients);
    }
    expect(promises.failures).toEqual([]);
    await expectKept(cluster, promises);
    await expectNothingLeft(cluster, promises);
    for (const count of Object.values(promises.good)) expect(count).toBeGreaterThan(ROUNDS);
  } catch (error) {
    const found = promises.failures.join("\n");
    throw new Error(`CHAOS_SEED=${seed}; faults:\n${faults.join("\n")}\n${found}`, {
      cause: error,
    });
  }
});
