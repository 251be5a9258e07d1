import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test, vi } from "vitest";
import type { EngineImage, ImageEngine } from "./image-engine.ts";
import { createImageStore } from "./image-store.ts";

const quiet = (): void => undefined;
const { signal } = new AbortController();

/** An engine that holds what is in `images`, and brings everything at once. */
function engineWith(...references: string[]) {
  const images = new Map(references.map((reference) => [reference, imageOf(reference)]));
  const asked = { image: 0, images: 0, pull: 0 };
  const engine: ImageEngine = {
    async image(reference) {
      asked.image += 1;
      return images.get(reference);
    },
    async images() {
      asked.images += 1;
      return [...images.values()];
    },
    async pull(reference) {
      asked.pull += 1;
      images.set(reference, imageOf(reference, "sha256:pulled"));
    },
  };
  return { engine, images, asked };
}

function imageOf(reference: string, id = "sha256:held"): EngineImage {
  return { id, references: [reference], sizeBytes: 1, createdAt: 0, entrypoint: [], command: [] };
}

describe("fetch()", () => {
  test("IfNotPresent takes what the engine holds, and pulls what it lacks", async () => {
    const { engine, asked } = engineWith("a:1");
    const store = createImageStore({ engine });
    expect((await store.fetch("a:1", "IfNotPresent", quiet, signal)).id).toBe("sha256:held");
    expect(asked.pull).toBe(0);
    expect((await store.fetch("b:1", "IfNotPresent", quiet, signal)).id).toBe("sha256:pulled");
    expect(asked.pull).toBe(1);
  });

  test("Always pulls what the engine holds too, and gives what came", async () => {
    const { engine } = engineWith("a:1");
    const store = createImageStore({ engine });
    await store.held("a:1");
    expect((await store.fetch("a:1", "Always", quiet, signal)).id).toBe("sha256:pulled");
    expect((await store.held("a:1"))?.id).toBe("sha256:pulled");
  });

  test("Always fails with the pull, and says that the image is there", async () => {
    const { engine } = engineWith("a:1");
    const pull = (): Promise<never> =>
      Promise.reject(new ServiceError("unavailable", "no route to host"));
    const store = createImageStore({ engine: { ...engine, pull } });
    await expect(store.fetch("a:1", "Always", quiet, signal)).rejects.toMatchObject({
      code: "unavailable",
      message:
        "no route to host (image_pull_policy is Always, so the one on the engine is not used)",
    });
    await expect(store.fetch("b:1", "Always", quiet, signal)).rejects.toMatchObject({
      message: "no route to host",
    });
  });

  test("Never pulls nothing", async () => {
    const { engine, asked } = engineWith("a:1");
    const store = createImageStore({ engine });
    expect((await store.fetch("a:1", "Never", quiet, signal)).id).toBe("sha256:held");
    await expect(store.fetch("b:1", "Never", quiet, signal)).rejects.toMatchObject({
      code: "not_found",
    });
    expect(asked.pull).toBe(0);
  });

  test("is unavailable when what was pulled is gone again", async () => {
    const { engine } = engineWith();
    const store = createImageStore({ engine: { ...engine, pull: async () => undefined } });
    await expect(store.fetch("a:1", "IfNotPresent", quiet, signal)).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  test("waits out of turn for what another engine pulls, and asks for it again then", async () => {
    const { engine } = engineWith();
    const copied = Promise.withResolvers<void>();
    const asked: string[] = [];
    const wait = vi.fn(async (onProgress: (text: string) => void) => {
      onProgress("replica r2 pulls it");
      await copied.promise;
    });
    const pull: ImageEngine["pull"] = async (reference, onProgress, stop, request) => {
      asked.push(reference);
      if (reference === "a:1" && request?.mayWait && wait.mock.calls.length === 0) return { wait };
      return engine.pull(reference, onProgress, stop, request);
    };
    const store = createImageStore({ engine: { ...engine, pull }, maxPulls: () => 1 });
    const progress = vi.fn<(text: string) => void>();
    const fetched = store.fetch("a:1", "IfNotPresent", progress, signal);
    await vi.waitUntil(() => wait.mock.calls.length === 1);
    await store.fetch("b:1", "IfNotPresent", quiet, signal);
    expect(store.pulling()).toEqual(["docker.io/library/a:1"]);
    copied.resolve();
    expect((await fetched).id).toBe("sha256:pulled");
    expect(asked).toEqual(["a:1", "b:1", "a:1"]);
    expect(progress).toHaveBeenCalledWith("replica r2 pulls it", undefined);
  });

  test("waits for three engines that bring nothing, and then for none", async () => {
    const { engine } = engineWith();
    const wait = vi.fn(async () => undefined);
    const pull: ImageEngine["pull"] = async (reference, onProgress, stop, request) =>
      request?.mayWait ? { wait } : engine.pull(reference, onProgress, stop, request);
    const store = createImageStore({ engine: { ...engine, pull } });
    expect((await store.fetch("a:1", "IfNotPresent", quiet, signal)).id).toBe("sha256:pulled");
    expect(wait).toHaveBeenCalledTimes(3);
  });
});

describe("held()", () => {
  test("asks the engine once for each image, by whatever name of it", async () => {
    const { engine, asked } = engineWith("python:3");
    const store = createImageStore({ engine });
    await store.held("python:3");
    expect(await store.held("docker.io/library/python:3")).toMatchObject({ id: "sha256:held" });
    expect(asked.image).toBe(1);
    expect(await store.held("python:4")).toBeUndefined();
    expect(await store.held("python:4")).toBeUndefined();
    expect(asked.image).toBe(3);
  });

  test("asks once for all that want to know at the same time", async () => {
    const { engine, asked } = engineWith("a:1");
    const store = createImageStore({ engine });
    await Promise.all([store.held("a:1"), store.held("a:1"), store.held("b:1"), store.held("b:1")]);
    expect(asked.image).toBe(2);
  });

  test("asks again after an engine that did not answer", async () => {
    const { engine } = engineWith("a:1");
    const failures = [new ServiceError("unavailable", "away")];
    const image: ImageEngine["image"] = async (reference) => {
      const failure = failures.shift();
      if (failure) throw failure;
      return engine.image(reference);
    };
    const store = createImageStore({ engine: { ...engine, image } });
    const both = await Promise.allSettled([store.held("a:1"), store.held("a:1")]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await store.held("a:1")).toBeDefined();
  });

  test("does not wait for an answer from before a pull", async () => {
    const { engine, images } = engineWith();
    const answers = [new Promise<never>(() => undefined)];
    const image: ImageEngine["image"] = async (reference) =>
      answers.shift() ?? images.get(reference);
    const store = createImageStore({ engine: { ...engine, image } });
    void store.held("a:1");
    expect(await store.fetch("a:1", "Always", quiet, signal)).toMatchObject({
      id: "sha256:pulled",
    });
  });

  test("does not keep an answer that is older than a refresh", async () => {
    const { engine, images } = engineWith("a:1");
    const answer = Promise.withResolvers<EngineImage | undefined>();
    const answers = [answer.promise];
    const store = createImageStore({
      engine: { ...engine, image: async (reference) => answers.shift() ?? images.get(reference) },
    });
    const held = store.held("a:1");
    images.delete("a:1");
    await store.refresh();
    answer.resolve(imageOf("a:1"));
    expect(await held).toBeDefined();
    expect(await store.held("a:1")).toBeUndefined();
  });
});

test("outdate() makes the engine be asked for an image that was in memory", async () => {
  const { engine, images } = engineWith("a:1");
  const store = createImageStore({ engine });
  await store.refresh();
  images.delete("a:1");
  expect(await store.held("a:1")).toBeDefined();
  store.outdate();
  expect(await store.held("a:1")).toBeUndefined();
});

describe("refresh()", () => {
  test("tells the inventory in canonical names, without those nobody can ask for", async () => {
    const { engine, images } = engineWith("python:3", "<none>:<none>", "ghcr.io/a/b:1");
    const store = createImageStore({ engine });
    expect([...store.inventory().keys()]).toEqual([]);
    await store.refresh();
    expect([...store.inventory().keys()]).toEqual(["docker.io/library/python:3", "ghcr.io/a/b:1"]);
    images.delete("python:3");
    await store.refresh();
    expect([...store.inventory().keys()]).toEqual(["ghcr.io/a/b:1"]);
    expect(await store.held("python:3")).toBeUndefined();
  });

  test("reads one list after the other, so that the last one asked for is what counts", async () => {
    const { engine } = engineWith();
    const lists = [Promise.withResolvers<EngineImage[]>(), Promise.withResolvers<EngineImage[]>()];
    let asked = 0;
    const images = async (): Promise<EngineImage[]> => lists[asked++]?.promise ?? [];
    const store = createImageStore({ engine: { ...engine, images } });
    const both = [store.refresh(), store.refresh()];
    lists[1]?.resolve([imageOf("new:1")]);
    await new Promise((resolve) => setImmediate(resolve));
    lists[0]?.resolve([imageOf("old:1")]);
    await Promise.all(both);
    expect([...store.inventory().keys()]).toEqual(["docker.io/library/new:1"]);
  });

  test("does not bring back what a pull has replaced meanwhile", async () => {
    const { engine } = engineWith("a:1");
    const list = Promise.withResolvers<EngineImage[]>();
    const store = createImageStore({ engine: { ...engine, images: () => list.promise } });
    const refreshing = store.refresh();
    await store.fetch("a:1", "Always", quiet, signal);
    list.resolve([imageOf("a:1")]);
    await refreshing;
    expect((await store.held("a:1"))?.id).toBe("sha256:pulled");
  });

  test("leaves everything as it was when the engine does not answer, and works again after that", async () => {
    const { engine } = engineWith("a:1");
    let isAway = false;
    const images = async (): Promise<EngineImage[]> => {
      if (isAway) throw new ServiceError("unavailable", "away");
      return engine.images();
    };
    const store = createImageStore({ engine: { ...engine, images } });
    await store.refresh();
    isAway = true;
    await expect(store.refresh()).rejects.toMatchObject({ code: "unavailable" });
    expect([...store.inventory().keys()]).toEqual(["docker.io/library/a:1"]);
    isAway = false;
    await store.refresh();
    expect([...store.inventory().keys()]).toEqual(["docker.io/library/a:1"]);
  });
});
