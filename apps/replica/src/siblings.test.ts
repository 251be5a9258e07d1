import { once } from "node:events";
import { ServiceError } from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import { createApp, createKeyring, createLog, listen } from "@remote-runtime/server";
import { describe, expect, test, vi } from "vitest";
import { mountArchives, type ArchiveServerOptions } from "./archive-server.ts";
import { replicaInfo } from "./replica-info-example.ts";
import { createSiblings } from "./siblings.ts";

const IMAGE = "docker.io/library/python:3";
const KEY = "a-key";
const DIGESTS = ["1", "2"].map((digit) => `sha256:${digit.repeat(64)}`);
const references = [IMAGE, ...DIGESTS.map((digest) => `python@${digest}`)];
const held = { id: "sha256:1", references, entrypoint: [], command: [] };
const image = { ...held, sizeBytes: 3_000_000, createdAt: 0 };
const log = createLog({ name: "test", level: "silent" });
const { signal: never } = new AbortController();

const roomy: ArchiveServerOptions["disk"] = {
  within: (use, work) => work(use.signal),
  used: () => undefined,
  keep: () => () => undefined,
};

type Save = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** A replica that serves what `save` gives as the archive of the one image. */
async function serving(
  id: string,
  save: Save,
  change: Partial<ReplicaInfo> = {},
  disk: ArchiveServerOptions["disk"] = roomy,
) {
  const ending = new AbortController();
  const app = createApp({ log });
  mountArchives(app, {
    images: { held: async (reference) => (reference === IMAGE ? image : undefined) },
    engine: { save: async (_, signal) => save(signal) },
    disk,
    keyring: createKeyring([{ name: "alice", key: KEY }]),
    log,
    maxServed: 1,
    maxWaiting: 1,
  });
  const server = await listen({
    fetch: app.fetch,
    host: "127.0.0.1",
    port: 0,
    signal: ending.signal,
    log,
    graceMs: 0,
  });
  const info = replicaInfo(id, { internalUrl: server.url, engineId: id, ...change });
  return { info, url: server.url, [Symbol.asyncDispose]: () => server.close() };
}

/** The siblings of a replica on an engine of its own, which takes in what comes. */
function copying(
  replicas: ReplicaInfo[],
  { key = KEY, silenceMs = 10_000, isUnknown = false } = {},
) {
  const loaded: string[] = [];
  const progress: string[] = [];
  const asked: string[] = [];
  const marked: string[][] = [];
  const siblings = createSiblings({
    engineId: "own",
    registry: {
      replicas: async () => replicas,
      async heldBy(name, ids) {
        asked.push(...ids);
        if (isUnknown) throw new ServiceError("unavailable", "the registry does not answer");
        expect(name).toBe(IMAGE);
        return new Map(ids.map((id) => [id, { createdAt: 0, sizeBytes: 3_000_000 }]));
      },
    },
    engine: {
      async load(archive, signal) {
        let text = "";
        const aborted = new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted"))),
        );
        const read = async (): Promise<void> => {
          for await (const chunk of archive) text += Buffer.from(chunk).toString();
        };
        await Promise.race([read(), aborted]);
        loaded.push(text);
      },
    },
    markDigests: async (name, digests) => void marked.push([name, ...digests]),
    key,
    now: () => performance.now(),
    log,
    silenceMs,
  });
  const copy = (signal = never) => siblings.copy("python:3", (line) => progress.push(line), signal);
  const have = () => siblings.have("python:3");
  return { copy, have, loaded, progress, asked, marked };
}

async function* whole(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("lay");
  yield Buffer.from("ers");
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("lay");
  throw new Error("the engine went away");
}

/** Says something, and then nothing until it is told to end. */
async function* silent(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield Buffer.from("lay");
  await once(signal, "abort");
}

describe("copy()", () => {
  test("loads what the least loaded other engine gives", async () => {
    await using one = await serving("one", whole, { load: 2 });
    await using busy = await serving("busy", broken, { load: 9 });
    const { copy, loaded, progress, marked } = copying([busy.info, one.info]);
    expect(await copy()).toBe("copied");
    expect(loaded).toEqual(["layers"]);
    expect(marked).toEqual([[IMAGE, ...DIGESTS]]);
    expect(progress[0]).toBe("copying from replica one");
  });

  test("asks no replica of its own engine, and each other engine once", async () => {
    await using one = await serving("one", whole, { engineId: "own" });
    const { copy, asked } = copying([one.info]);
    expect(await copy()).toBe("none");
    expect(asked).toEqual([]);
  });

  test("takes an archive that breaks off for none, and asks the next", async () => {
    await using first = await serving("first", broken);
    await using second = await serving("second", whole, { load: 9 });
    const { copy, loaded } = copying([first.info, second.info]);
    expect(await copy()).toBe("copied");
    expect(loaded).toEqual(["layers"]);
  });

  test("gives up one that sends nothing more, one that is gone, and one that wants another key", async () => {
    await using quiet = await serving("quiet", silent);
    const gone = replicaInfo("gone", { internalUrl: "http://127.0.0.1:1", engineId: "gone" });
    const { copy, progress } = copying([quiet.info, gone], { silenceMs: 50 });
    const from = (lines: string[]): string[] => lines.map((line) => line.split(" ").at(-1) ?? "");
    expect(await copy()).toBe("busy");
    expect(from(progress)).toEqual(["quiet", "gone"]);
    expect(await copy()).toBe("busy");
    expect(from(progress.slice(2))).toEqual(["quiet"]);
    await using other = await serving("other", whole);
    expect(await copying([other.info], { key: "wrong" }).copy()).toBe("none");
  });

  test("is busy when a holder gives no more copies now, or nobody knows the holders", async () => {
    await using one = await serving("one", silent);
    const reader = new AbortController();
    const { signal } = reader;
    const ask = () =>
      fetch(`${one.url}/images/archive?image=${IMAGE}&wait=1`, {
        headers: { "X-API-Key": KEY },
        signal,
      });
    await ask();
    await ask();
    expect(await copying([one.info]).copy()).toBe("busy");
    reader.abort();
    expect(await copying([one.info], { isUnknown: true }).copy()).toBe("busy");
  });

  test("waits for its turn only at the last of the holders", async () => {
    let ends: AbortSignal | undefined;
    await using first = await serving("first", silent);
    await using last = await serving(
      "last",
      (signal) => {
        if (ends) return whole();
        ends = signal;
        return silent(signal);
      },
      { load: 9 },
    );
    const reader = new AbortController();
    for (const { url } of [first, last]) {
      await fetch(`${url}/images/archive?image=${IMAGE}`, {
        headers: { "X-API-Key": KEY },
        signal: reader.signal,
      });
    }
    const { copy, progress, loaded } = copying([first.info, last.info]);
    const copied = copy();
    await vi.waitUntil(() => progress.at(-1) === "copying from replica last");
    reader.abort();
    expect([await copied, loaded]).toEqual(["copied", ["layers"]]);
  });

  test("ends when its signal aborts, and lets the one that serves go", async () => {
    let served: AbortSignal | undefined;
    await using one = await serving("one", (signal) => {
      served = signal;
      return silent(signal);
    });
    const controller = new AbortController();
    const copied = copying([one.info]).copy(controller.signal);
    await vi.waitUntil(() => served !== undefined);
    controller.abort();
    await expect(copied).rejects.toMatchObject({ code: "unavailable" });
    await vi.waitUntil(() => served?.aborted === true);
  });
});

test("have() is true of what another engine holds whose replica answers, and throws where nobody knows", async () => {
  await using one = await serving("one", whole);
  const gone = replicaInfo("gone", { internalUrl: "http://127.0.0.1:1", engineId: "gone" });
  const both = copying([one.info, gone]);
  expect(await both.have()).toBe(true);
  const absent = copying([gone]);
  expect(await absent.have()).toBe(true);
  await absent.copy();
  expect(await absent.have()).toBe(false);
  await expect(copying([one.info], { isUnknown: true }).have()).rejects.toThrow(ServiceError);
});

describe("GET /images/archive", () => {
  const ask = (url: string, name = IMAGE, key = KEY, signal = never) =>
    fetch(`${url}/images/archive?image=${name}`, { headers: { "X-API-Key": key }, signal });

  test("refuses strangers, and what the engine does not hold", async () => {
    await using one = await serving("one", whole);
    expect((await ask(one.url, IMAGE, "wrong")).status).toBe(401);
    expect((await ask(one.url, "docker.io/library/absent:1")).status).toBe(404);
  });

  test("waits for room on the disk, where the image counts as used and is kept meanwhile", async () => {
    const room = Promise.withResolvers<void>();
    const told: unknown[] = [];
    const disk: typeof roomy = {
      async within({ what, sizeBytes, signal, patienceMs }, work) {
        told.push(what, sizeBytes, patienceMs);
        await room.promise;
        return work(signal);
      },
      used: (used) => told.push(used),
      keep: (names) => {
        told.push(names);
        return () => told.push("let go");
      },
    };
    const save = vi.fn(whole);
    await using one = await serving("one", save, {}, disk);
    const answer = await ask(one.url);
    await vi.waitUntil(() => told.length === 5);
    expect(told).toEqual([image.id, [IMAGE, image.id], `copy of ${IMAGE}`, image.sizeBytes, 0]);
    expect(save).not.toHaveBeenCalled();
    room.resolve();
    expect(await answer.text()).toBe("layers");
    await vi.waitUntil(() => told.at(-1) === "let go");
  });

  test("serves so many at once, the next one when it is done or gone, and sends the others elsewhere", async () => {
    await using one = await serving("one", silent);
    const readers = Array.from({ length: 3 }, () => new AbortController());
    const waiting = `${IMAGE}&wait=1`;
    const served = await ask(one.url, IMAGE, KEY, readers[0]?.signal);
    const second = await ask(one.url, waiting, KEY, readers[1]?.signal);
    expect([served.status, second.status]).toEqual([200, 200]);
    for (const name of [IMAGE, waiting]) {
      const refused = await ask(one.url, name);
      const words = expect.stringContaining("too many images") as unknown;
      expect([refused.status, await refused.text()]).toEqual([503, words]);
    }
    // One that goes while it waits leaves its place to another.
    readers[1]?.abort();
    const last = await vi.waitUntil(async () => {
      const answer = await ask(one.url, waiting, KEY, readers[2]?.signal);
      if (answer.ok) return answer;
      await answer.body?.cancel();
      return undefined;
    });
    readers[0]?.abort();
    const chunk = await last.body?.getReader().read();
    expect(Buffer.from(chunk?.value ?? []).toString()).toBe("lay");
    readers[2]?.abort();
  });
});
