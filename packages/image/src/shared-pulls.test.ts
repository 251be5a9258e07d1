import { ServiceError } from "@remote-runtime/protocol";
import { expect, test, vi } from "vitest";
import { createSharedPulls } from "./shared-pulls.ts";

const NAME = "docker.io/library/python:3";
const { signal } = new AbortController();
const quiet = (): void => undefined;
const away = new ServiceError("unavailable", "the registry is away");

/** The leases of an engine, at first with others having them, and a clock that goes on by itself. */
function fixture({ holder = "", held = false }: { holder?: string; held?: boolean } = {}) {
  const state: { holder: string; held: boolean; isAway: boolean } = { holder, held, isAway: false };
  const told: string[] = [];
  let slept = 0;
  /** Called at each sleep, of which each is one second or more. */
  let onSleep: (count: number) => void = quiet;
  const shared = createSharedPulls({
    leases: {
      async take(name) {
        expect(name).toBe(NAME);
        if (state.isAway) throw away;
        if (state.holder !== "" && state.holder !== "own") return state.holder;
        state.holder = "own";
        told.push("taken");
        return undefined;
      },
      async release() {
        if (state.isAway) throw away;
        if (state.holder === "own") state.holder = "";
        told.push("released");
      },
    },
    siblings: {
      async have() {
        if (state.isAway) throw away;
        return state.held;
      },
    },
    async sleep(_ms, ended) {
      await new Promise((resolve) => void setImmediate(resolve));
      ended.throwIfAborted();
      onSleep((slept += 1));
    },
  });
  return {
    state,
    told,
    shared,
    pull: vi.fn(async () => undefined),
    atSleep: (listener: typeof onSleep) => void (onSleep = listener),
  };
}

/** What may be waited for, where it is there. */
async function elsewhereOf({ shared, pull }: ReturnType<typeof fixture>) {
  const elsewhere = await shared.run("python:3", true, pull);
  if (!elsewhere) throw new Error("another engine pulls it");
  expect(pull).not.toHaveBeenCalled();
  return elsewhere;
}

test("run() renews its lease while it pulls, and leaves it when the image is there", async () => {
  const { shared, told, state } = fixture();
  const done = Promise.withResolvers<void>();
  const run = shared.run("python:3", true, () => done.promise);
  await vi.waitUntil(() => told.length > 3);
  done.resolve();
  expect(await run).toBeUndefined();
  expect(state.holder).toBe("own");
  expect(new Set(told)).toEqual(new Set(["taken"]));
});

test("run() gives its lease back when its pull fails, and throws what it threw", async () => {
  const { shared, told, state } = fixture();
  const denied = new ServiceError("not_found", "denied");
  await expect(shared.run("python:3", true, () => Promise.reject(denied))).rejects.toBe(denied);
  await vi.waitUntil(() => state.holder === "");
  // And does not renew it any more.
  await new Promise((resolve) => void setImmediate(() => void setImmediate(resolve)));
  expect(told.at(-1)).toBe("released");
});

test("run() pulls at once what another engine pulls, for who may not wait", async () => {
  const { shared, pull, state } = fixture({ holder: "r2" });
  expect(await shared.run("python:3", false, pull)).toBeUndefined();
  expect(pull).toHaveBeenCalledOnce();
  expect(state.holder).toBe("r2");
});

test("run() pulls at once while the registry is away", async () => {
  const { shared, pull, state } = fixture({ holder: "r2" });
  state.isAway = true;
  expect(await shared.run("python:3", true, pull)).toBeUndefined();
  expect(pull).toHaveBeenCalledOnce();
});

test("what another engine pulls is waited for until there is a copy", async () => {
  const world = fixture({ holder: "r2" });
  const elsewhere = await elsewhereOf(world);
  world.atSleep((count) => void (world.state.held = count === 5));
  const progress = vi.fn<(text: string) => void>();
  await elsewhere.wait(progress, signal);
  expect(progress.mock.calls).toEqual(
    Array.from({ length: 5 }, () => ["replica r2 pulls it; its copy is waited for"]),
  );
  expect(world.state.holder).toBe("r2");
});

test("the wait ends with the other engine's lease, which is this engine's then or a third one's", async () => {
  for (const [next, then] of [
    ["", "own"],
    ["r3", "r3"],
  ]) {
    const world = fixture({ holder: "r2" });
    const elsewhere = await elsewhereOf(world);
    world.atSleep((count) => {
      if (count === 5) world.state.holder = next ?? "";
    });
    await elsewhere.wait(quiet, signal);
    expect(world.state.holder).toBe(then);
  }
});

test("the wait ends when the registry goes away, when its signal aborts, and in any case after twenty minutes", async () => {
  const lost = fixture({ holder: "r2" });
  const elsewhere = await elsewhereOf(lost);
  lost.atSleep((count) => void (lost.state.isAway = count === 5));
  await elsewhere.wait(quiet, signal);
  const aborting = new AbortController();
  const given = fixture({ holder: "r2" });
  const other = await elsewhereOf(given);
  given.atSleep((count) => {
    if (count === 5) aborting.abort(away);
  });
  await expect(other.wait(quiet, aborting.signal)).rejects.toBe(away);
  const endless = fixture({ holder: "r2" });
  const progress = vi.fn<() => void>();
  await (await elsewhereOf(endless)).wait(progress, signal);
  expect(progress).toHaveBeenCalledTimes(1_200);
});
