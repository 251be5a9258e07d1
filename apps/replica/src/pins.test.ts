import { ServiceError } from "@remote-runtime/protocol";
import {
  createMemoryRegistry,
  type Change,
  type Pins,
  type Registry,
} from "@remote-runtime/registry";
import { createManualClock } from "@remote-runtime/runtime/testing";
import { expect, onTestFinished, test } from "vitest";
import { createPins } from "./pins.ts";

async function start({ isAway = false } = {}) {
  const clock = createManualClock();
  const memory = createMemoryRegistry({ now: clock.now });
  const state = { isAway };
  const listeners = new Set<(change: Change) => void>();
  const registry: Pick<Registry, "restorePins" | "pins" | "onChange"> = {
    restorePins: memory.pin,
    async pins(): Promise<Pins> {
      if (state.isAway) throw new ServiceError("unavailable", "away");
      return memory.pins();
    },
    onChange(listener) {
      listeners.add(listener);
      return memory.onChange(listener);
    },
  };
  const log = { info: () => undefined, warn: () => undefined };
  const pins = createPins({ registry, clock, log });
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  void pins.run(ending.signal);
  await clock.settle();
  const tell = (change: Change): void => listeners.forEach((listener) => listener(change));
  return { clock, memory, state, pins, tell };
}

const pin = { by: "alice", at: 7 };

test("isPinned() holds for all until it is known, then for what is pinned", async () => {
  const { clock, memory, state, pins } = await start({ isAway: true });
  expect(pins.isPinned("a:1")).toBe(true);
  state.isAway = false;
  await clock.advance(5_200);
  expect(pins.isPinned("a:1")).toBe(false);
  await memory.pin(new Map([["a:1", pin]]));
  await clock.advance(200);
  expect([pins.isPinned("a:1"), pins.isPinned("b:1")]).toEqual([true, false]);
  state.isAway = true;
  await memory.unpin(["a:1"]);
  await clock.advance(200);
  expect(pins.isPinned("a:1")).toBe(true);
  state.isAway = false;
  await clock.advance(5_200);
  expect(pins.isPinned("a:1")).toBe(false);
});

test("run() writes the pins again, with who and when, after the registry has lost them", async () => {
  const { clock, memory, pins, tell } = await start();
  await memory.pin(new Map([["a:1", pin]]));
  await clock.advance(200);
  await memory.unpin(["a:1"]);
  tell({ kind: "lost" });
  await clock.advance(200);
  expect(await memory.pins()).toEqual(new Map([["a:1", pin]]));
  expect(pins.isPinned("a:1")).toBe(true);
});

test("isPinned() knows a digest under whatever name, and as a content id", async () => {
  const { clock, memory, pins } = await start();
  const digest = `sha256:${"0".repeat(64)}`;
  await memory.pin(new Map([[`docker.io/library/a@${digest}`, pin]]));
  await clock.advance(200);
  expect([`m.test/hub/library/a@${digest}`, digest].map(pins.isPinned)).toEqual([true, true]);
  const others = [`docker.io/library/a@${digest.replace("0", "1")}`, "docker.io/library/a:1"];
  expect(others.map(pins.isPinned)).toEqual([false, false]);
});
