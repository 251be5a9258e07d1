import { ServiceError } from "@remote-runtime/protocol";
import {
  createMemoryRegistry,
  type Change,
  type Registry,
  type ReplicaInfo,
} from "@remote-runtime/registry";
import { createManualClock, type ManualClock } from "@remote-runtime/runtime/testing";
import { ConfigError } from "@remote-runtime/server";
import { describe, expect, onTestFinished, test } from "vitest";
import { createMembership, type Condition } from "./membership.ts";
import { replicaInfo } from "./replica-info-example.ts";

const ID = "replica-1";

type World = {
  clock: ManualClock;
  registry: Registry;
  isAway: boolean;
  /** The next call of this method is done, and its answer lost. */
  muted: keyof Registry | null;
  /** The registry has lost everything, and `replicas` will notice. */
  hasLost: boolean;
  listeners: Set<(change: Change) => void>;
};

function createWorld(): World {
  const clock = createManualClock();
  return {
    clock,
    registry: createMemoryRegistry({ now: clock.now }),
    isAway: false,
    muted: null,
    hasLost: false,
    listeners: new Set(),
  };
}

/** It answers at once, with nothing in it. */
function loseAll(world: World): void {
  world.registry = createMemoryRegistry({ now: world.clock.now });
  for (const listener of world.listeners) world.registry.onChange(listener);
  world.hasLost = true;
}

/** One process of the replica. */
function begin(world: World, change: Partial<ReplicaInfo> = {}) {
  const state = { republished: 0, inventories: 0, peers: 1, resets: 0, otherLives: true };
  const condition: Condition = { load: 0, runtimes: 0, pulling: [], draining: false };
  const seen: ReplicaInfo[][] = [];
  const said: string[] = [];
  const say = (_: object, message: string): void => void said.push(message);
  let confirmed = Promise.resolve();
  const registry = new Proxy(world.registry, {
    get: (_target, key: keyof Registry) => {
      const method = Reflect.get(world.registry, key);
      if (key === "onChange") {
        return (listener: (change: Change) => void) => {
          world.listeners.add(listener);
          return world.registry.onChange(listener);
        };
      }
      return async (...args: unknown[]) => {
        const away = new ServiceError("unavailable", "away");
        if (world.isAway) throw away;
        if (key === "replicas" && world.hasLost) {
          world.hasLost = false;
          for (const listener of world.listeners) listener({ kind: "lost" });
        }
        const answer: unknown = await Reflect.apply(method, world.registry, args);
        if (world.muted !== key) return answer;
        world.muted = null;
        throw away;
      };
    },
  });
  const membership = createMembership({
    registry,
    identity: () => replicaInfo(ID, change),
    condition: () => condition,
    peers: {
      share: () => ({ index: 0, count: state.peers }),
      see: (announced) => void seen.push([...announced]),
      reset: () => void (state.resets += 1),
    },
    republish: () => {
      state.republished += 1;
      return confirmed;
    },
    republishInventory: () => void (state.inventories += 1),
    isAlive: async () => state.otherLives,
    clock: world.clock,
    log: { info: say, warn: say, error: () => undefined },
  });
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  return {
    ...membership,
    state,
    condition,
    seen,
    said,
    ending,
    holdRepublish(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      confirmed = promise;
      return resolve;
    },
    async joinAndRun() {
      await membership.join();
      const running = membership.run(ending.signal);
      running.catch(() => undefined);
      return { running };
    },
  };
}

async function announced({ registry }: { registry: Registry }): Promise<ReplicaInfo | undefined> {
  return (await registry.replicas()).find(({ id }) => id === ID);
}

async function untilLapsed(clock: ManualClock): Promise<void> {
  await clock.advance(7_000);
}

describe("createMembership()", () => {
  test("tells of another load within 200 ms, once for many changes, and not without one", async () => {
    const world = createWorld();
    const replica = begin(world);
    let told = 0;
    world.registry.onChange(({ kind }) => void (told += kind === "replica" ? 1 : 0));
    await replica.joinAndRun();
    expect(await announced(world)).toMatchObject({ load: 0, loadVersion: 1 });
    for (const load of [1, 2, 3]) {
      Object.assign(replica.condition, { load, pulling: ["a:1"] });
      replica.changed();
      await world.clock.settle();
    }
    await world.clock.advance(200);
    expect(await announced(world)).toMatchObject({ load: 3, pulling: ["a:1"], loadVersion: 2 });
    replica.changed();
    await world.clock.advance(10_000);
    expect(await announced(world)).toMatchObject({ loadVersion: 2 });
    expect(told).toBe(2);
  });

  test("says once that the registry does not answer, though there is nothing to tell it meanwhile", async () => {
    const world = createWorld();
    const replica = begin(world);
    await replica.joinAndRun();
    world.isAway = true;
    for (let beat = 0; beat < 4; beat += 1) {
      await world.clock.advance(2_000);
      replica.changed();
      await world.clock.advance(300);
    }
    const away = "the registry does not answer; runtimes go on, gateways use what they know";
    expect(replica.said).toEqual([away]);
    world.isAway = false;
    await world.clock.advance(2_000);
    expect(replica.said).toEqual([away, "the registry answers again"]);
  });

  test("leaves with the signal, and does not take a follower along", async () => {
    const world = createWorld();
    const replica = begin(world);
    const { running } = await replica.joinAndRun();
    replica.ending.abort();
    await running;
    expect(await announced(world)).toBeUndefined();
  });

  test("drains as long as the operator wishes", async () => {
    const world = createWorld();
    const replica = begin(world);
    await replica.joinAndRun();
    await world.registry.setDraining(ID, true);
    await world.clock.settle();
    expect(replica.seen.at(-1)?.[0]).toMatchObject({ id: ID, draining: true });
    await world.registry.setDraining(ID, false);
    await world.clock.settle();
    expect(replica.seen.at(-1)?.[0]).toMatchObject({ id: ID, draining: false });
  });

  test("says again that it drains after the registry has lost it, but not what was taken back since", async () => {
    const world = createWorld();
    const replica = begin(world);
    await replica.joinAndRun();
    await world.registry.setDraining(ID, true);
    await world.clock.advance(2_000);
    for (let loss = 0; loss < 2; loss += 1) {
      loseAll(world);
      await world.clock.advance(2_000);
      expect(await world.registry.drains()).toEqual(new Set([ID]));
      expect(replica.seen.at(-1)?.[0]).toMatchObject({ id: ID, draining: true });
    }
    // The operator is faster.
    loseAll(world);
    await world.registry.setDraining(ID, false);
    await world.clock.advance(4_000);
    expect(await world.registry.drains()).toEqual(new Set());
    expect(replica.seen.at(-1)?.[0]).toMatchObject({ id: ID, draining: false });
    // What was never wished, or is not any more, is lost without harm.
    loseAll(world);
    await world.clock.advance(4_000);
    expect(await world.registry.drains()).toEqual(new Set());
  });

  test("writes everything again after its entry has lapsed, and is not sure before that is done", async () => {
    const world = createWorld();
    const replica = begin(world);
    await replica.joinAndRun();
    replica.state.peers = 2;
    expect(replica.isSure()).toBe(true);
    const done = replica.holdRepublish();
    world.isAway = true;
    await untilLapsed(world.clock);
    expect(replica.isSure()).toBe(false);
    world.isAway = false;
    await world.clock.advance(2_000);
    expect(replica.state).toMatchObject({ republished: 1, inventories: 1, resets: 1 });
    expect(replica.isSure()).toBe(false);
    done();
    await world.clock.advance(9_000);
    // Somebody may have been about to take over when it came back.
    expect(replica.isSure()).toBe(false);
    await world.clock.advance(1_000);
    expect(replica.state.republished).toBe(2);
    expect(replica.isSure()).toBe(true);
    // Alone on its engine nobody can have taken anything.
    replica.state.peers = 1;
    world.isAway = true;
    await untilLapsed(world.clock);
    expect(replica.isSure()).toBe(true);
  });
});

test.each(["announce", "replicas"] as const)(
  "createMembership() finds that its entry was lost, also when it has something to tell, or %s is not answered",
  async (method) => {
    const world = createWorld();
    const replica = begin(world);
    await replica.joinAndRun();
    await world.registry.withdraw(ID, `instance of ${ID}`);
    replica.condition.load = 1;
    replica.changed();
    world.muted = method;
    await world.clock.advance(200);
    expect(world.muted).toBeNull();
    await world.clock.advance(2_000);
    expect(await announced(world)).toMatchObject({ load: 1 });
    expect(replica.state).toMatchObject({ republished: 1, inventories: 1 });
  },
);

describe("an id that another process has", () => {
  const other = { instance: "another", internalUrl: "http://elsewhere:8000" };

  test("is refused while that one answers", async () => {
    const world = createWorld();
    await begin(world, other).join();
    const joining = begin(world).join();
    await expect(joining).rejects.toThrow(ConfigError);
    await expect(joining).rejects.toThrow(/elsewhere:8000.*REPLICA_ID/);
    expect(await announced(world)).toMatchObject({ instance: "another" });
  });

  test("is taken from one that does not answer, or had the same address", async () => {
    for (const change of [other, { ...other, internalUrl: `http://${ID}:8000` }]) {
      const world = createWorld();
      const { ending, joinAndRun } = begin(world, change);
      const { running } = await joinAndRun();
      const replica = begin(world);
      replica.state.otherLives = change !== other;
      await replica.join();
      expect(await announced(world)).toMatchObject({ instance: `instance of ${ID}` });
      // The first one ends at its next heartbeat, and leaves the entry alone.
      await world.clock.advance(2_000);
      await expect(running).rejects.toThrow(ConfigError);
      ending.abort();
      expect(await announced(world)).toMatchObject({ instance: `instance of ${ID}` });
    }
  });

  test("is found by a process that could not ask at its start", async () => {
    const world = createWorld();
    world.isAway = true;
    const late = begin(world);
    const { running } = await late.joinAndRun();
    world.isAway = false;
    await begin(world, other).join();
    await world.clock.advance(2_000);
    await expect(running).rejects.toThrow(/REPLICA_ID/);
  });
});
