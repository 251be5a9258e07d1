import { expect, test, vi } from "vitest";
import { z } from "zod";
import { createSeededRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";
import { runChaosClient } from "./chaos-client.ts";
import { chaosFaults, untilHealed } from "./chaos-fault.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { containerSessions } from "./container-sessions.ts";
import { createPairWatch } from "./pair-watch.ts";
import { createPromises, type Promises } from "./promises.ts";

const Count = z.coerce.number().int().min(0);
/** Faults of a random kind, after one of each. */
const MORE_FAULTS = Count.parse(process.env["CHAOS_FAULTS"] ?? "1");
/** The longest one, what heals it, and as much again. */
const FAULT_MS = 60_000;
const OTHERS_MS = 300_000;
const CLIENTS = 3;
/** Replicas compare everything with the engine every 30 s. */
const COMPARED_MS = 60_000;

vi.setConfig({ testTimeout: OTHERS_MS + MORE_FAULTS * FAULT_MS });

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
    { deadlineMs: COMPARED_MS, what: `one container for each: ${promised}` },
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
  const promises = createPromises();
  const happened: string[] = [];
  await using cluster = await startCluster({ gateways: 2, replicas: 3 });
  const faults = chaosFaults(cluster, random, MORE_FAULTS);
  const pairs = createPairWatch(cluster, promises);
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
    const watching = pairs.run(ending.signal);
    try {
      for (const { what, isOfRegistry, happen } of faults) {
        happened.push(`${new Date().toISOString()} ${what}`);
        if (isOfRegistry) pairs.registryGoes();
        await happen();
        if (isOfRegistry) pairs.registryIsBack();
        await untilHealed(cluster, promises);
      }
    } finally {
      ending.abort();
      await Promise.all([...clients, watching]);
    }
    expect(promises.failures).toEqual([]);
    await expectKept(cluster, promises);
    await expectNothingLeft(cluster, promises);
    for (const count of Object.values(promises.good)) expect(count).toBeGreaterThan(faults.length);
  } catch (error) {
    const found = promises.failures.join("\n");
    const again = `CHAOS_SEED=${seed} CHAOS_FAULTS=${MORE_FAULTS}`;
    throw new Error(`${again}; faults:\n${happened.join("\n")}\n${found}`, { cause: error });
  }
});
