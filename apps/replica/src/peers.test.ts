import type { ReplicaInfo } from "@remote-runtime/registry";
import type { Estate } from "@remote-runtime/runtime";
import { expect, test } from "vitest";
import { createPeers } from "./peers.ts";
import { replicaInfo } from "./replica-info-example.ts";

function create() {
  const state = { now: 0, counts: 0, refuses: false };
  const estates: Estate[] = [];
  const peers = createPeers({
    replicaId: "a",
    engineId: "engine",
    async inherit(estate) {
      estates.push(estate);
      if (state.refuses) throw new Error("the engine is away");
    },
    onSeen: () => undefined,
    onCount: () => void (state.counts += 1),
    clock: { now: () => state.now },
    log: { info: () => undefined, warn: () => undefined },
  });
  /** So many heartbeats. */
  async function beat(announced: ReplicaInfo[], ofEngine: string[], times = 1): Promise<void> {
    for (let beats = 0; beats < times; beats += 1) {
      state.now += 2_000;
      peers.see(announced, ofEngine);
      await Promise.resolve();
    }
  }
  return { state, estates, peers, beat };
}

test("createPeers() counts those on the engine, and says when their number changes", async () => {
  const { state, peers, beat } = create();
  await beat([replicaInfo("a"), replicaInfo("b"), replicaInfo("c", { engineId: "another" })], []);
  expect([peers.share().count, state.counts]).toEqual([2, 1]);
  await beat([replicaInfo("a"), replicaInfo("b")], [], 3);
  expect([peers.share().count, state.counts]).toEqual([2, 1]);
  await beat([replicaInfo("a")], []);
  expect([peers.share().count, state.counts]).toEqual([1, 2]);
});

test("createPeers() takes over from those that are gone: once, again after a failure, and when the heirs change", async () => {
  const { state, estates, beat } = create();
  const [a, b] = [replicaInfo("a"), replicaInfo("b")];
  await beat([a, b], ["a", "b", "c"], 5);
  await beat([a, b], ["a", "b", "c"], 4);
  expect(estates).toEqual([{ gone: ["c"], heirs: ["a", "b"] }]);
  state.refuses = true;
  await beat([a], ["a", "b", "c"], 3);
  expect(estates).toHaveLength(4);
  state.refuses = false;
  await beat([a], ["a", "b", "c"], 3);
  expect(estates.slice(1)).toEqual([
    { gone: ["c"], heirs: ["a"] },
    ...[1, 2, 3].map(() => ({ gone: ["b", "c"], heirs: ["a"] })),
  ]);
});

test("createPeers() takes over while it drains itself only if nobody else can", async () => {
  const { estates, beat } = create();
  const draining = replicaInfo("a", { draining: true });
  await beat([draining, replicaInfo("c")], ["a", "b", "c"], 10);
  expect(estates).toEqual([]);
  await beat([draining], ["a", "b"], 1);
  expect(estates).toEqual([{ gone: ["b"], heirs: ["a"] }]);
});
