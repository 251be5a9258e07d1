import { createImageStore, type InjectStore } from "@remote-runtime/image";
import { ServiceError, type RuntimeSpec } from "@remote-runtime/protocol";
import {
  createMemoryRegistry,
  type Change,
  type Registry,
  type RuntimeRecord,
} from "@remote-runtime/registry";
import { onTestFinished } from "vitest";
import type { AdmissionLimits } from "./admission.ts";
import type { Engine } from "./engine.ts";
import { createFakeEngine, type FakeEngine, type FakeEngineOptions } from "./fake-engine.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { exampleRecord } from "./record-example.ts";
import { createRuntimes, type Runtimes, type RuntimesOptions } from "./runtimes.ts";
import type { StartOrder } from "./starter.ts";

export const IMAGE = "python:3";
export const REPLICA = "replica-1";

const NO_INJECTS: InjectStore = {
  paths: [],
  requireMapped: () => undefined,
  lacking: async () => [],
  ready: (path) => Promise.reject(new Error(path)),
  tend: async () => undefined,
};

/** A registry that can be away, and can lose everything. */
export type TestRegistry = Registry & { setAway(away: boolean): void; lose(): void };

/** One process of the replica. */
export type Life = Runtimes & {
  readonly log: readonly string[];
  readonly halted: readonly string[];
  /** As SIGKILL: what it has asked for happens all the same, and it does nothing any more. */
  kill(): void;
  /** The state of a runtime, for tests of one thing; `unknown` after it has ended. */
  state(id: string): string;
};

/** A process and a runtime that it has begun to start. */
export type Scene = { world: World; life: Life; id: string };

/** What outlives the processes of a replica. */
export type World = {
  readonly clock: ManualClock;
  readonly engine: FakeEngine;
  readonly registry: TestRegistry;
  /** Whether what runs answers /alive; set by tests. */
  answers: (id: string) => boolean;
  /** How long each call of the engine and the registry takes to arrive, and its answer to return; set by tests. */
  delayMs: () => number;
  /** The next call of this method of the engine or the registry is done, and its answer lost; set by tests. */
  muted: string | null;
  /** Whether the engine's events are lost; set by tests. */
  isDeaf: boolean;
  /** From now on this method of the engine or the registry does its work, and answers once the returned is called. */
  hold(method: string): () => void;
  /** Begins a process that has not adopted yet; the test's end kills it. */
  begin(options?: LifeOptions): Life;
  /** Begins one that has adopted and runs. */
  beginAndRun(options?: LifeOptions): Promise<Life>;
};

type LifeOptions = Partial<RuntimesOptions & AdmissionLimits>;

/** Starts one runtime in that world, and lets happen what needs no time. */
export async function startIn(
  world: World,
  change: OrderChange = {},
  options: LifeOptions = {},
): Promise<Scene> {
  const life = await world.beginAndRun(options);
  const { id } = await life.start(order(change));
  await world.clock.settle();
  return { world, life, id };
}

type OrderChange = Partial<Omit<StartOrder, "spec">> & { spec?: Partial<RuntimeSpec> };

export function order({ spec, ...change }: OrderChange = {}): StartOrder {
  return {
    owner: "alice",
    sessionId: "session-1",
    urlForm: "path",
    publicBase: "http://server:8000",
    sessionApiKey: null,
    spec: { ...exampleRecord().spec, image: IMAGE, ...spec },
    ...change,
  };
}

export function createWorld(engineOptions: FakeEngineOptions = {}): World {
  const clock = createManualClock();
  const engine = createFakeEngine({ images: [IMAGE], ...engineOptions });
  const registry = createTestRegistry(clock);
  const slowRegistry = slow<Registry>(registry);
  const slowEngine: Engine = {
    ...slow<Engine>(engine),
    watch: (onEvent, signal) =>
      engine.watch((event) => {
        if (!world.isDeaf) onEvent(event);
      }, signal),
  };
  const holds = new Map<string, Promise<void>>();
  let runtimesMade = 0;

  function slow<T extends object>(target: T): T {
    return intercepted(target, (key) => {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== "function" || key === "onChange") return undefined;
      return async (...args) => {
        await sleep(world.delayMs());
        const isMuted = world.muted === key;
        if (isMuted) world.muted = null;
        try {
          const answer: unknown = await Reflect.apply(method, target, args);
          await holds.get(key);
          if (isMuted) throw new ServiceError("unavailable", `${key}: no answer`);
          return answer;
        } finally {
          await sleep(world.delayMs());
        }
      };
    });
  }

  async function sleep(ms: number): Promise<void> {
    if (ms > 0) await clock.sleep(ms, new AbortController().signal);
  }

  function begin(options: LifeOptions = {}): Life {
    const killed = new AbortController();
    const own = mortal(slowEngine, killed.signal);
    const log: string[] = [];
    const halted: string[] = [];
    const runtimes = createRuntimes({
      replicaId: REPLICA,
      engine: own,
      images: createImageStore({ engine: own }),
      injects: NO_INJECTS,
      registry: mortal(slowRegistry, killed.signal),
      clock: mortal(clock, killed.signal),
      limits: { memoryBytes: 2 ** 32, pidsLimit: 100, wildcardBase: null, idleTimeoutSeconds: 0 },
      lifetime: { neverUsedMs: 0, idleMs: 0, pausedMs: 0, maxAgeMs: 0 },
      pauseGraceSeconds: 10,
      bootTimeoutMs: 60_000,
      turnLimits: () => ({ maxStarting: 8, maxRunning: 100, memoryBytes: 1_000, ...options }),
      memoryReservedBytes: 1,
      onUnplaced: () => undefined,
      afterBurst: (begin) => void setImmediate(begin),
      newId: () => idOf((runtimesMade += 1)),
      newSecret: () => "secret",
      pickPort: async (taken) => firstFree(taken),
      probe: async ({ id }) =>
        engine.containers.get(id)?.state.kind === "running" && world.answers(id),
      activity: () => ({ open: 0, lastByteAt: null }),
      agentIdleMs: async () => null,
      onHalted: (id) => void halted.push(id),
      onImages: () => undefined,
      onChange: () => undefined,
      mayEnd: () => true,
      log: {
        info: (_details, message) => void log.push(message),
        warn: (_details, message) => void log.push(message),
      },
      ...options,
    });
    onTestFinished(() => killed.abort());
    return {
      ...runtimes,
      log,
      halted,
      kill: () => killed.abort(),
      run: (signal) => runtimes.run(AbortSignal.any([signal, killed.signal])),
      state: (id) => stateOf(runtimes.get(id)),
    };
  }

  async function beginAndRun(options?: LifeOptions): Promise<Life> {
    const life = begin(options);
    const { signal } = new AbortController();
    await life.adopt(signal);
    void life.run(signal);
    await clock.settle();
    return life;
  }

  const world: World = {
    clock,
    engine,
    registry,
    answers: () => true,
    delayMs: () => 0,
    muted: null,
    isDeaf: false,
    hold(method) {
      const { promise, resolve } = Promise.withResolvers<void>();
      holds.set(method, promise);
      return () => {
        holds.delete(method);
        resolve();
      };
    },
    begin,
    beginAndRun,
  };
  return world;
}

function stateOf(record: RuntimeRecord | undefined): string {
  if (record === undefined) return "unknown";
  return record.desired === "stopped" ? "stopped" : record.observed.state;
}

function createTestRegistry(clock: ManualClock): TestRegistry {
  let stored = createMemoryRegistry({ now: clock.now });
  let isAway = false;
  const listeners = new Set<(change: Change) => void>();
  const controls = {
    setAway(away: boolean) {
      const isBack = isAway && !away;
      isAway = away;
      if (isBack)
        queueMicrotask(() => {
          for (const listener of listeners) listener({ kind: "unknown" });
        });
    },
    onChange(listener: (change: Change) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    lose: () => void (stored = createMemoryRegistry({ now: clock.now })),
  };
  return intercepted<TestRegistry>(
    Object.assign(createMemoryRegistry({ now: clock.now }), controls),
    (key) => {
      if (key in controls) return undefined;
      return async (...args) => {
        if (isAway) throw new ServiceError("unavailable", "the registry is away");
        return Reflect.apply(Reflect.get(stored, key), stored, args);
      };
    },
  );
}

/** Nothing that `target` answers is heard after `killed`, and nothing more is asked of it. */
function mortal<T extends object>(target: T, killed: AbortSignal): T {
  const never = new Promise<never>(() => undefined);
  return intercepted(target, (key) => {
    const method: unknown = Reflect.get(target, key);
    if (typeof method !== "function") return undefined;
    return (...args) => {
      if (killed.aborted && key !== "now") return never;
      const answer: unknown = Reflect.apply(method, target, args);
      if (!(answer instanceof Promise)) return answer;
      return answer.then(
        (value) => (killed.aborted ? never : value),
        (error: unknown) => (killed.aborted ? never : Promise.reject(error)),
      );
    };
  });
}

type Method = (...args: unknown[]) => unknown;

function intercepted<T extends object>(target: T, replace: (key: string) => Method | undefined): T {
  return new Proxy(target, {
    get: (object, key) =>
      (typeof key === "string" ? replace(key) : undefined) ?? Reflect.get(object, key),
  });
}

function firstFree(taken: ReadonlySet<number>): number {
  const port = Array.from({ length: 100 }, (_, index) => 20_000 + index).find(
    (candidate) => !taken.has(candidate),
  );
  if (port === undefined) throw new ServiceError("conflict", "every port is in use");
  return port;
}

/** 16 of [a-z], different for each number below 26⁴. */
function idOf(number: number): string {
  const letters = [number / 17_576, number / 676, number / 26, number].map((digit) =>
    String.fromCharCode(97 + (Math.floor(digit) % 26)),
  );
  return `abcdefghijkl${letters.join("")}`;
}
