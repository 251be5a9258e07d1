import { setImmediate as turn } from "node:timers/promises";
import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import type { EngineImage } from "./image-engine.ts";
import { createImageStore } from "./image-store.ts";
import { createPrefetches } from "./prefetches.ts";

const ANEW = { anew: true };
const name = (letter: string): string => `docker.io/library/${letter}:latest`;

function imageOf(reference: string): EngineImage {
  return {
    id: "",
    references: [reference],
    sizeBytes: 5,
    createdAt: 1,
    entrypoint: [],
    command: [],
  };
}

/** An engine whose pulls end when they are told to; beside them a start can pull. */
function start({ held = [], maxPulls = 2 }: { held?: string[]; maxPulls?: number } = {}) {
  const present = new Set(held);
  const pulls = new Map<string, PromiseWithResolvers<void>>();
  const begun: string[] = [];
  const images = createImageStore({
    engine: {
      image: async (reference) => (present.has(reference) ? imageOf(reference) : undefined),
      images: async () => [...present].map(imageOf),
      async pull(reference, onProgress) {
        const pull = Promise.withResolvers<void>();
        pulls.set(reference, pull);
        begun.push(reference);
        onProgress("1/2 layers", 7);
        await pull.promise.finally(() => pulls.delete(reference));
      },
    },
    maxPulls: () => maxPulls,
  });
  const prefetches = createPrefetches({ images, maxPulls: () => maxPulls });
  return {
    images,
    prefetches,
    begun,
    pulling: () => [...pulls.keys()],
    async end(reference: string, error?: Error) {
      if (error) pulls.get(reference)?.reject(error);
      else {
        present.add(reference);
        pulls.get(reference)?.resolve();
      }
      await turn();
    },
  };
}

describe("createPrefetches()", () => {
  test("pulls what the engine lacks, so many at a time, and goes on after one that fails", async () => {
    const { prefetches, pulling, end } = start({ held: [name("a")] });
    prefetches.give("p", ["a", "b", "c", "d"].map(name), ANEW);
    await turn();
    expect(prefetches.view("p")).toEqual({
      held: 1,
      pulled: 0,
      running: 2,
      waiting: 1,
      failed: 0,
      cancelled: 0,
      pulledBytes: 0,
      pulls: [
        { image: name("b"), progress: "1/2 layers", bytes: 7 },
        { image: name("c"), progress: "1/2 layers", bytes: 7 },
      ],
      failures: [],
    });
    await end(name("b"), new ServiceError("not_found", "no such image"));
    expect(pulling()).toEqual([name("c"), name("d")]);
    await end(name("c"));
    await end(name("d"));
    expect(prefetches.view("p")).toMatchObject({
      held: 1,
      pulled: 2,
      running: 0,
      waiting: 0,
      failed: 1,
      pulledBytes: 10,
      pulls: [],
      failures: [{ image: name("b"), error: "no such image" }],
    });
  });

  test("starts never wait for it, and it goes on in what they leave", async () => {
    const { images, prefetches, pulling, end } = start();
    prefetches.give("p", ["a", "b", "c", "d"].map(name), ANEW);
    await turn();
    const { signal } = new AbortController();
    const started = ["x", "y"].map((letter) =>
      images.fetch(name(letter), "IfNotPresent", () => undefined, signal),
    );
    await turn();
    expect(pulling()).toEqual(["a", "b", "x", "y"].map(name));
    await end(name("a"));
    expect(pulling()).toEqual(["b", "x", "y"].map(name));
    await end(name("b"));
    expect(pulling()).toEqual(["x", "y", "c"].map(name));
    await end(name("x"));
    await end(name("y"));
    await Promise.all(started);
    await end(name("c"));
    expect(prefetches.view("p")).toMatchObject({ pulled: 3, running: 1 });
    prefetches.close();
  });

  test("cancel() keeps what runs; the same list again goes on and repeats nothing", async () => {
    const { prefetches, begun, end } = start();
    const all = ["a", "b", "c"].map(name);
    prefetches.give("p", all, ANEW);
    await turn();
    await end(name("a"), new Error("reset"));
    expect(prefetches.cancel("p")).toMatchObject({ failed: 1, running: 2, cancelled: 0 });
    prefetches.give("p", [...all, name("d")], { anew: false });
    expect(prefetches.cancel("p")).toMatchObject({ failed: 1, running: 2, cancelled: 1 });
    await end(name("b"));
    await end(name("c"));
    expect(begun).toEqual(all);
    prefetches.give("p", [...all, name("d")], ANEW);
    await turn();
    expect(begun).toEqual([...all, name("a"), name("d")]);
    await end(name("a"));
    await end(name("d"));
    expect(prefetches.view("p")).toMatchObject({ held: 2, pulled: 2, failed: 0, cancelled: 0 });
  });

  test("one image in two lists is pulled once", async () => {
    const { prefetches, begun, end } = start();
    prefetches.give("p", [name("a")], ANEW);
    prefetches.give("q", [name("a"), name("b")], ANEW);
    await turn();
    await end(name("a"));
    await end(name("b"));
    expect(begun).toEqual(["a", "b"].map(name));
    expect(prefetches.view("q")).toMatchObject({ held: 1, pulled: 1 });
  });

  test("knows by its digest what has come by a mirror's name, as long as not all is over", async () => {
    const { prefetches, end } = start();
    const digest = `sha256:${"0".repeat(64)}`;
    const [own, mirrored] = ["docker.io/library", "m.test"].map((place) => `${place}/a@${digest}`);
    prefetches.give("p", [own ?? "", name("b")], ANEW);
    await turn();
    const asked = [own ?? "", mirrored ?? "", digest, name("c")];
    expect(asked.map(prefetches.wants)).toEqual([true, true, true, false]);
    await end(own ?? "");
    prefetches.evicted([mirrored ?? "", name("c")]);
    expect(prefetches.view("p")).toMatchObject({
      failures: [{ image: own, error: expect.stringContaining("removed again") as string }],
    });
    expect(prefetches.wants(own ?? "")).toBe(false);
    await end(name("b"));
    expect(prefetches.wants(name("b"))).toBe(false);
  });

  test("forgets the oldest that are over, and refuses more than it takes", async () => {
    const { prefetches, end } = start({ maxPulls: 100 });
    for (let i = 0; i < 16; i += 1) prefetches.give(`p${i}`, [`image-${i}:latest`], ANEW);
    expect(() => prefetches.give("more", [name("a")], ANEW)).toThrow("at most 16 prefetches");
    expect(prefetches.view("more")).toBeUndefined();
    await turn();
    await end("image-3:latest");
    prefetches.give("more", [name("a")], ANEW);
    expect(prefetches.view("p3")).toBeUndefined();
    expect(prefetches.view("p0")).toBeDefined();
    const many = Array.from({ length: 100_000 }, (_, i) => `image-${i}:latest`);
    expect(() => prefetches.give("p0", many, ANEW)).toThrow("100,000 images");
    prefetches.close();
  });
});
