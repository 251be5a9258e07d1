import {
  canonicalReference,
  createRecent,
  type ArchiveEngine,
  type MarkDigests,
  type OnPullProgress,
  type Siblings,
} from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import type { Registry, ReplicaInfo } from "@remote-runtime/registry";
import type { Log } from "@remote-runtime/runtime";
import { createBufferRelief } from "@remote-runtime/server";
import { ARCHIVE_PATH, DIGESTS_HEADER } from "./archive-server.ts";

export type SiblingsOptions = {
  engineId: string;
  registry: Pick<Registry, "replicas" | "heldBy">;
  engine: Pick<ArchiveEngine, "load">;
  markDigests: MarkDigests;
  /** One of the keys that all replicas are given. */
  key: string;
  now: () => number;
  log: Log;
  /** Default: the platform's. */
  fetch?: typeof fetch;
  /** Without a byte. Default 5 min: the other engine writes the image to its disk before it sends the first one. */
  silenceMs?: number;
};

/** A replica that lives answers with a head at once. */
const HEAD_DEADLINE_MS = 3_000;
/** One that could not be reached is not tried again within that time; a pull's later tries come after it. */
const AWAY_MS = 10_000;
const MOST_AWAY = 1_000;
const MOST_TRIED = 3;
const PROGRESS_EVERY_MS = 500;

type Archive = { bytes: ReadableStream<Uint8Array>; digests: readonly string[] };
type Holder = { replica: ReplicaInfo; sizeBytes: number };

/** Copies images from engines of other replicas, which the registry knows of. */
export function createSiblings(options: SiblingsOptions): Siblings {
  const { engineId, registry, engine, markDigests, key, now, log } = options;
  const { silenceMs = 5 * 60_000 } = options;
  const send = options.fetch ?? fetch;
  const away = createRecent<true>({ now, limit: MOST_AWAY });
  const relief = createBufferRelief();

  /** One replica of each other engine that holds the image, the least loaded first; and whether one of them is away. */
  async function holdersOf(name: string): Promise<{ holders: Holder[]; isOneAway: boolean }> {
    const engines = new Set<string>();
    const holders: Holder[] = [];
    let isOneAway = false;
    const others = (await registry.replicas()).filter((replica) => replica.engineId !== engineId);
    const found = await registry.heldBy(
      name,
      others.map(({ id }) => id),
    );
    for (const replica of others.toSorted((a, b) => shareOf(a) - shareOf(b))) {
      const held = found.get(replica.id);
      if (!held || engines.has(replica.engineId)) continue;
      if (away.get(replica.internalUrl)) {
        isOneAway = true;
        continue;
      }
      engines.add(replica.engineId);
      holders.push({ replica, sizeBytes: held.sizeBytes });
      if (holders.length === MOST_TRIED) break;
    }
    return { holders, isOneAway };
  }

  async function open(
    { internalUrl, id }: ReplicaInfo,
    name: string,
    signal: AbortSignal,
    mayWait: boolean,
  ): Promise<Archive> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), HEAD_DEADLINE_MS);
    try {
      const url = `${internalUrl}${ARCHIVE_PATH}?image=${encodeURIComponent(name)}${mayWait ? "&wait=1" : ""}`;
      const answer = await send(url, {
        headers: { "X-API-Key": key },
        redirect: "error",
        signal: AbortSignal.any([signal, late.signal]),
      });
      if (answer.ok && answer.body) {
        const digests = answer.headers.get(DIGESTS_HEADER)?.split(",") ?? [];
        return { bytes: answer.body, digests };
      }
      await answer.body?.cancel();
      const code = answer.status >= 500 ? "unavailable" : "not_found";
      throw new ServiceError(code, `replica ${id} answered ${answer.status}`);
    } catch (error) {
      if (!(error instanceof ServiceError || signal.aborted)) away.set(internalUrl, true, AWAY_MS);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async function copyFrom(
    { replica, sizeBytes, mayWait }: Holder & { mayWait: boolean },
    name: string,
    onProgress: OnPullProgress,
    signal: AbortSignal,
  ): Promise<void> {
    onProgress(`copying from replica ${replica.id}`);
    const release = relief.hold();
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error("silent")), silenceMs);
    timer.unref();
    const ended = AbortSignal.any([signal, silence.signal]);
    let digests: readonly string[] = [];
    async function* followed(): AsyncGenerator<Uint8Array> {
      let bytes = 0;
      let toldAt = now();
      const archive = await open(replica, name, ended, mayWait);
      digests = archive.digests;
      for await (const chunk of archive.bytes) {
        timer.refresh();
        bytes += chunk.length;
        yield chunk;
        if (now() - toldAt < PROGRESS_EVERY_MS) continue;
        toldAt = now();
        onProgress(
          `copying from replica ${replica.id}: ${megabytes(bytes)}/${megabytes(sizeBytes)} MB`,
          bytes,
        );
      }
      onProgress(`copied from replica ${replica.id}: ${megabytes(bytes)} MB, unpacking`, bytes);
    }
    try {
      await engine.load(followed(), ended);
      await markDigests(name, digests);
    } finally {
      clearTimeout(timer);
      release();
      // Also of what has not come yet when the engine wants no more.
      silence.abort();
    }
  }

  return {
    async have(reference) {
      const { holders } = await holdersOf(canonicalReference(reference));
      return holders.length > 0;
    },
    async copy(reference, onProgress, signal) {
      const name = canonicalReference(reference);
      const { holders, isOneAway } = await holdersOf(name).catch((error: unknown) => {
        log.warn({ err: error }, "it is not known which other engines have an image");
        return { holders: [], isOneAway: true };
      });
      let isBusy = isOneAway;
      for (const holder of holders) {
        signal.throwIfAborted();
        try {
          // Only where there is no other to ask.
          const mayWait = holder === holders.at(-1);
          await copyFrom({ ...holder, mayWait }, name, onProgress, signal);
          return "copied";
        } catch (error) {
          if (signal.aborted)
            throw new ServiceError("unavailable", `copy of ${reference}: given up`);
          log.warn({ err: error, image: name, replica: holder.replica.id }, "no copy from there");
          // Every other code is an answer.
          isBusy ||= !(error instanceof ServiceError) || error.code === "unavailable";
        }
      }
      return isBusy ? "busy" : "none";
    },
  };
}

function shareOf({ load, weight }: ReplicaInfo): number {
  return load / weight;
}

/** 10⁶ bytes. */
function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(0);
}
