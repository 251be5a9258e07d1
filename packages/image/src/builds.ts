import { createHash } from "node:crypto";
import { join } from "node:path";
import { ServiceError, type BuildStatus } from "@remote-runtime/protocol";
import type { BaseBringer } from "./base-bringer.ts";
import type { BuildEngine } from "./build-engine.ts";
import { createBuildLog, type BuildLog } from "./build-log.ts";
import { createBuildQueue } from "./build-queue.ts";
import { canonicalReference } from "./canonical-reference.ts";
import type { Publisher } from "./publisher.ts";
import { type ImageDisk, unboundedDisk } from "./image-disk.ts";

export type BuildRequest = {
  owner: string;
  /** The checked archive; it stays until `discard` is called. */
  contextPath: string;
  digest: string;
  /** Every name that the image gets, the first one the asked for. */
  references: readonly string[];
  /** Canonical references of what it begins from, as far as they are known. */
  baseImages: readonly string[];
  useCache: boolean;
  /** Called once, when the archive is not needed any more. */
  discard: () => Promise<void>;
};

/** In the words of the wire (protocol, `BuildStatus`). */
export type BuildView = { status: BuildStatus; image: string; error: string };

export interface Builds {
  /** Throws `too_many_requests` when no more builds may wait: to be asked before an upload is taken. */
  assertRoom(): void;
  /** Answers the build's id at once. While the same archive is built with the same names, that build is joined. */
  submit(request: BuildRequest): string;
  /** `undefined`: no such build of this owner, or none any more. */
  view(id: string, owner: string): BuildView | undefined;
  log(id: string, owner: string): Promise<{ text: string; isCut: boolean } | undefined>;
  /** Ends what runs and what waits. */
  close(): void;
}

export type BuildsOptions = {
  engine: BuildEngine;
  /** At once; asked at each turn. */
  maxBuilds: () => number;
  /** How many more may wait. Default 100. */
  maxWaiting?: number;
  /** A build that runs longer ends as TIMEOUT. */
  timeoutMs: number;
  /** Logs are kept here. */
  folder: string;
  /** What the logs of builds that are over may take together: the oldest give way, all but their ends. Default 512 MiB. */
  maxLogBytes?: number;
  newId: () => string;
  /** Makes room for what is built. Default: there is always room. */
  disk?: ImageDisk;
  /** Brings what builds begin from. Default: the engine's own builder does. */
  bases?: BaseBringer | undefined;
  /** Called when the engine has a new image, before the build counts as a success. */
  onBuilt: () => Promise<void>;
  /** Brings the image to where it is to be had, before the build counts as a success. Default: it stays on the engine. */
  publisher?: Publisher | undefined;
  /** Told of what cannot be told to anybody else. */
  log: { warn(data: object, message: string): void };
};

type Outcome = Pick<BuildView, "status" | "error">;
type Build = {
  key: string;
  image: string;
  outcome: Outcome;
  log: BuildLog;
  /** Ids by which it can be asked for; its log goes with the last of them. */
  asked: number;
};
type Asked = { owner: string; build: Build };

const MIB = 1024 * 1024;
/** Of one build. */
const MOST_LOG_BYTES = 16 * MIB;
const MOST_KEPT = 1000;
/** Who waits for a build asks every half minute, and then starts it: until then it may be the only copy. */
const STAYS_MS = 10 * 60_000;

/** Builds images on one engine, `maxBuilds` at a time. What it knows of them ends with the process, as the builds do. */
export function createBuilds(options: BuildsOptions): Builds {
  const { engine, folder, timeoutMs, newId, bases, onBuilt, publisher, log } = options;
  const { disk = unboundedDisk, maxWaiting = 100, maxLogBytes = 512 * MIB } = options;
  const queue = createBuildQueue({ maxRunning: options.maxBuilds, maxWaiting });
  const byId = new Map<string, Asked>();
  const active = new Map<string, Build>();
  /** Those that have ended and can be asked for, the first to end first. */
  const over = new Set<Build>();
  const closing = new AbortController();

  async function run(build: Build, request: BuildRequest): Promise<void> {
    const { contextPath, references, baseImages, useCache } = request;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([deadline, closing.signal]);
    build.outcome = { status: "WORKING", error: "" };
    const onLog = (text: string): void => build.log.write(text);
    const release = disk.keep(references.map(canonicalReference));
    const releaseBases = disk.keep(baseImages);
    try {
      signal.throwIfAborted();
      // Before the build is counted as a writer of its own, for which a pull would have to wait.
      if (bases) await bases.bring(baseImages, onLog, signal);
      const onWait = (reason: string): void => onLog(`${reason}\n`);
      const id = await disk.within(
        { what: `build of ${build.image}`, onWait, signal },
        (aborting) => engine.build({ contextPath, references, useCache, onLog, signal: aborting }),
      );
      for (const reference of references) await disk.brought(reference, { id });
      await onBuilt().catch((error: unknown) => {
        log.warn({ err: error }, "the images could not be read after a build");
      });
      await publisher?.publish(references, onLog, signal);
      build.outcome = { status: "SUCCESS", error: "" };
    } catch (error) {
      build.outcome = outcomeOf(error, build);
      if (build.outcome.status === "INTERNAL_ERROR") log.warn({ err: error }, "a build broke off");
    }
    releaseBases();
    release(build.outcome.status === "SUCCESS" ? STAYS_MS : 0);
    active.delete(build.key);
    over.add(build);
    shrinkOldest();
    await discard(request);

    function outcomeOf(cause: unknown, { log: { tail } }: Build): Outcome {
      const printed = tail();
      const withTail = (message: string): string =>
        printed === "" ? message : `${message}\n${printed}`;
      if (closing.signal.aborted) {
        return { status: "CANCELLED", error: withTail("the server ended during the build") };
      }
      if (deadline.aborted) {
        const message = `the build took longer than ${timeoutMs / 1000} s`;
        return { status: "TIMEOUT", error: withTail(message) };
      }
      const { code, message } = ServiceError.from(cause);
      const isOwn = code === "bad_request" || code === "not_found" || code === "conflict";
      return { status: isOwn ? "FAILURE" : "INTERNAL_ERROR", error: withTail(message) };
    }
  }

  async function discard(request: BuildRequest): Promise<void> {
    await request.discard().catch((error: unknown) => {
      log.warn({ err: error }, "a build's archive could not be removed");
    });
  }

  function begin(request: BuildRequest, key: string, id: string): Build {
    const build: Build = {
      key,
      image: request.references[0] ?? "",
      outcome: { status: "QUEUED", error: "" },
      log: createBuildLog({ path: join(folder, `${id}.log`), maxBytes: MOST_LOG_BYTES }),
      asked: 0,
    };
    active.set(key, build);
    try {
      queue.add(request.owner, () => run(build, request));
    } catch (error) {
      active.delete(key);
      throw error;
    }
    return build;
  }

  /** Those that are over go first; the queue limits the others. */
  function forgetOldest(): void {
    for (const [id, { build }] of byId) {
      if (byId.size < MOST_KEPT) return;
      if (!over.has(build)) continue;
      byId.delete(id);
      build.asked -= 1;
      if (build.asked === 0) {
        over.delete(build);
        build.log.remove().catch(cannotRemove);
      }
    }
  }

  function shrinkOldest(): void {
    let bytes = [...over].reduce((sum, build) => sum + build.log.bytes(), 0);
    for (const build of over) {
      if (bytes <= maxLogBytes) return;
      bytes -= build.log.bytes();
      build.log.shrink().catch(cannotRemove);
    }
  }

  function cannotRemove(error: unknown): void {
    log.warn({ err: error }, "a build's log could not be removed");
  }

  function find(id: string, owner: string): Build | undefined {
    const asked = byId.get(id);
    return asked?.owner === owner ? asked.build : undefined;
  }

  return {
    assertRoom: queue.assertRoom,
    submit(request) {
      const key = keyOf(request);
      const id = newId();
      const joined = active.get(key);
      const build = joined ?? begin(request, key, id);
      if (joined) void discard(request);
      forgetOldest();
      build.asked += 1;
      byId.set(id, { owner: request.owner, build });
      return id;
    },
    view(id, owner) {
      const build = find(id, owner);
      return build && { image: build.image, ...build.outcome };
    },
    log: async (id, owner) => find(id, owner)?.log.read(),
    close: () => closing.abort(),
  };
}

/** Of what a build depends on, its archive and its options. */
function keyOf({ digest, references, useCache }: BuildRequest): string {
  return createHash("sha256")
    .update(JSON.stringify([digest, references.map(canonicalReference), useCache]))
    .digest("hex");
}
