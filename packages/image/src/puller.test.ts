import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import type { Backoff } from "./backoff.ts";
import { createPuller, type PullerEngine, type PullTurn } from "./puller.ts";
import { RegistryAwayError } from "./registry-away-error.ts";

type Call = {
  reference: string;
  tell: (progress: string) => void;
  signal: AbortSignal;
  turn: PullTurn;
  end: () => void;
  fail: (error: Error) => void;
};

/** A puller on an engine of which each pull ends when the test says so; an aborted one takes its time. */
function bench(maxPulls = 3, backoff?: Backoff) {
  const calls: Call[] = [];
  const ended: string[] = [];
  const pull: PullerEngine["pull"] = (reference, tell, signal, _fresh, turn) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    calls.push({ reference, tell, signal, turn, end: resolve, fail: reject });
    return promise;
  };
  const onPulled = (name: string): void => void ended.push(name);
  let most = maxPulls;
  const puller = createPuller({ engine: { pull }, maxPulls: () => most, onPulled, backoff });
  const allow = (count: number): void => void (most = count);

  function join(name: string, controller = new AbortController(), fresh = false) {
    const progress: string[] = [];
    const onProgress = (line: string): void => void progress.push(line);
    const { signal } = controller;
    const done = puller.pull({ name, reference: name, onProgress, signal, fresh });
    // Looked at later.
    done.catch(() => undefined);
    return { done, progress, abort: () => controller.abort() };
  }

  return { puller, calls, ended, join, allow };
}

/** Waits that end when the test says so. */
function waits() {
  const sleeps: { ms: number; wake: () => void }[] = [];
  const backoff: Backoff = {
    random: () => 0.5,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps.push({ ms, wake: resolve });
        signal.addEventListener("abort", () => reject(new ServiceError("unavailable", "given up")));
      }),
  };
  return { sleeps, backoff };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("pull()", () => {
  test("shares one pull between all that ask, and its progress with those that come late", async () => {
    const { puller, calls, ended, join } = bench();
    const first = join("a");
    await settle();
    calls[0]?.tell("1/2 layers");
    const second = join("a");
    calls[0]?.tell("2/2 layers");
    expect(first.progress.slice(-2)).toEqual(["1/2 layers", "2/2 layers"]);
    expect(second.progress).toEqual(["1/2 layers", "2/2 layers"]);
    expect([calls.length, puller.pulling()]).toEqual([1, ["a"]]);
    calls[0]?.end();
    await Promise.all([first.done, second.done]);
    expect([puller.pulling(), ended]).toEqual([[], ["a"]]);
  });

  test("begins another pull for one that wants what the registry has now", async () => {
    const { puller, calls, join } = bench();
    const copied = join("a");
    const fresh = [true, true].map((each) => join("a", new AbortController(), each));
    await settle();
    expect([calls.length, puller.pulling()]).toEqual([2, ["a"]]);
    calls[0]?.end();
    await copied.done;
    expect(puller.pulling()).toEqual(["a"]);
    calls[1]?.end();
    await Promise.all(fresh.map(({ done }) => done));
    expect(puller.pulling()).toEqual([]);
  });

  test("goes on when one of several gives up, and ends with the last of them", async () => {
    const { puller, calls, join } = bench();
    const [first, second] = [join("a"), join("a")];
    await settle();
    first.abort();
    await expect(first.done).rejects.toMatchObject({ code: "unavailable" });
    expect(calls[0]?.signal.aborted).toBe(false);
    second.abort();
    await expect(second.done).rejects.toMatchObject({ code: "unavailable" });
    expect(calls[0]?.signal.aborted).toBe(true);
    expect(puller.pulling()).toEqual([]);
  });

  test("begins anew for one that asks before a pull that was given up has ended", async () => {
    const { puller, calls, ended, join } = bench();
    const first = join("a");
    await settle();
    first.abort();
    await settle();
    const second = join("a");
    await settle();
    expect(calls).toHaveLength(2);
    calls[0]?.fail(new ServiceError("unavailable", "given up"));
    await settle();
    expect(puller.pulling()).toEqual(["a"]);
    calls[1]?.end();
    await second.done;
    expect(ended).toEqual(["a", "a"]);
  });

  test("fails for all that asked, and the next one begins anew", async () => {
    const { calls, join } = bench();
    const both = [join("a"), join("a")];
    await settle();
    calls[0]?.fail(new ServiceError("not_found", "manifest unknown"));
    for (const { done } of both) await expect(done).rejects.toMatchObject({ code: "not_found" });
    const again = join("a");
    await settle();
    calls[1]?.end();
    await again.done;
  });

  test("takes so many at a time, and says of the others that they wait", async () => {
    const { calls, join } = bench(1);
    const [first, second, third] = [join("a"), join("b"), join("c")];
    await settle();
    expect(calls.map(({ reference }) => reference)).toEqual(["a"]);
    expect(second?.progress).toEqual(["waiting for other pulls to end"]);
    // One that gives up while it waits never begins.
    second?.abort();
    calls[0]?.end();
    await first?.done;
    await settle();
    expect(calls.map(({ reference }) => reference)).toEqual(["a", "c"]);
    expect(third?.progress.at(-1)).toBe("asking the registry");
  });

  test("takes as many at a time as may be by then", async () => {
    const { calls, join, allow } = bench(1);
    join("a");
    join("b");
    await settle();
    expect(calls).toHaveLength(1);
    allow(2);
    join("c");
    join("d");
    await settle();
    expect(calls).toHaveLength(2);
    allow(1);
    calls[0]?.end();
    await settle();
    expect(calls).toHaveLength(2);
    calls[1]?.end();
    await settle();
    expect(calls.map(({ reference }) => reference)).toEqual(["a", "b", "c"]);
  });

  test("lets others pull while one waits for what is no pull, and gives its turn back to it after them", async () => {
    const { calls, join } = bench(1);
    const [first, second, third] = [join("a"), join("b"), join("c")];
    await settle();
    const room = Promise.withResolvers<void>();
    const waiting = calls[0]?.turn.outOfTurn(() => room.promise);
    await settle();
    expect(calls.map(({ reference }) => reference)).toEqual(["a", "b"]);
    room.resolve();
    await settle();
    expect(first?.progress.at(-1)).toBe("waiting for other pulls to end");
    for (const [at, { done }] of [second, third].entries()) {
      calls[at + 1]?.end();
      await done;
      await settle();
    }
    await waiting;
    const last = join("d");
    await settle();
    expect(calls.map(({ reference }) => reference)).toEqual(["a", "b", "c"]);
    calls[0]?.end();
    await first?.done;
    await settle();
    calls[3]?.end();
    await last.done;
  });

  test("tries again ever later while a registry is away, and lets others pull meanwhile", async () => {
    const { sleeps, backoff } = waits();
    const { calls, puller, join } = bench(1, backoff);
    const [first, second] = [join("a"), join("b")];
    await settle();
    calls[0]?.fail(new RegistryAwayError("no route to host"));
    await settle();
    const waiting = "ImagePullBackOff: no route to host; try 2 of 5 in 1.0 s";
    expect([first.progress.at(-1), puller.pulling()]).toEqual([waiting, ["a", "b"]]);
    expect(calls.map(({ reference }) => reference)).toEqual(["a", "b"]);
    calls[1]?.end();
    await second.done;
    for (let tries = 2; tries <= 5; tries += 1) {
      sleeps.at(-1)?.wake();
      await settle();
      calls.at(-1)?.fail(new RegistryAwayError("no route to host"));
      await settle();
    }
    await expect(first.done).rejects.toBeInstanceOf(RegistryAwayError);
    expect(sleeps.map(({ ms }) => ms)).toEqual([1_000, 4_000, 10_000, 20_000]);
  });

  test("takes no for an answer, and ends a wait with the last that asked", async () => {
    const { sleeps, backoff } = waits();
    const { calls, ended, join } = bench(1, backoff);
    const first = join("a");
    await settle();
    calls[0]?.fail(new ServiceError("not_found", "manifest unknown"));
    await expect(first.done).rejects.toMatchObject({ code: "not_found" });
    const second = join("a");
    await settle();
    calls[1]?.fail(new RegistryAwayError("no route to host"));
    await settle();
    second.abort();
    await expect(second.done).rejects.toMatchObject({ code: "unavailable" });
    await settle();
    expect([sleeps.length, calls.length, ended]).toEqual([1, 2, ["a", "a"]]);
  });

  test("begins nothing for one that has given up already", async () => {
    const { calls, puller, join } = bench();
    const aborted = new AbortController();
    aborted.abort();
    await expect(join("a", aborted).done).rejects.toMatchObject({ name: "AbortError" });
    await settle();
    expect([calls.length, puller.pulling()]).toEqual([0, []]);
  });
});
