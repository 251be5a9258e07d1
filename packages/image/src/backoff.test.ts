import { expect, test } from "vitest";
import { withBackoff } from "./backoff.ts";
import { RegistryAwayError, RegistryBusyError } from "./registry-away-error.ts";

const { signal } = new AbortController();

/** Runs a task that fails with these errors, one after the other, and gives what it waited, in seconds. */
async function waits(errors: readonly Error[], last: Error): Promise<[string, number[]]> {
  const left = [...errors];
  const seconds: number[] = [];
  const backoff = {
    sleep: async (ms: number) => void seconds.push(Math.round(ms / 100) / 10),
    random: () => 0.5,
  };
  const task = async (): Promise<string> => {
    const error = left.shift();
    if (error) throw error;
    return "done";
  };
  const outcome = await withBackoff(task, { backoff, onWait: () => undefined, signal }).catch(
    (error: unknown) => (error === last ? "failed" : String(error)),
  );
  return [outcome, seconds];
}

const times = <T>(length: number, value: T): T[] => Array.from({ length }, () => value);
const away = new RegistryAwayError("away");
const busy = new RegistryBusyError("busy", { pauseMs: 60_000 });

test("withBackoff() tries five times while a registry is away, and no more often", async () => {
  expect(await waits([away, away, away, away], away)).toEqual(["done", [1, 4, 10, 20]]);
  expect(await waits(times(5, away), away)).toEqual(["failed", [1, 4, 10, 20]]);
  const denied = new Error("denied");
  expect(await waits([denied], denied)).toEqual(["failed", []]);
});

test("withBackoff() comes after the pause of a busy registry, which counts as no try, for ten minutes", async () => {
  expect(await waits([busy, busy, away, busy], busy)).toEqual(["done", [66, 66, 1, 66]]);
  expect(await waits(times(99, busy), busy)).toEqual(["failed", times(10, 66)]);
  // Where nobody sees to a pause it is away as any other.
  const plain = new RegistryBusyError("busy");
  expect(await waits(times(5, plain), plain)).toEqual(["failed", [1, 4, 10, 20]]);
});
