import type { ImageStore, InjectStore } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import { fail, note, observe, type Entry } from "./entry.ts";
import { createFetchStep } from "./fetch-step.ts";
import { finding } from "./finding.ts";
import { isPassing } from "./judge.ts";
import { planContainer, type ContainerLimits } from "./plan/plan.ts";

/** Waits between calls of /alive; the last one repeats. */
const PROBE_MS = [15, 25, 40, 60, 100, 150, 250];
/** After so long a boot keeps nobody else from starting: it may never end. */
const SLOW_BOOT_MS = 90_000;
const LOG_LINES = 50;
/** A range of ports of which so many are taken by others is no use. */
const MOST_PORT_MOVES = 20;

export type StepOptions = {
  engine: Engine;
  images: ImageStore;
  injects: InjectStore;
  clock: Clock;
  limits: ContainerLimits;
  /** Seconds that the process has to end at a pause. */
  pauseGraceSeconds: number;
  bootTimeoutMs: number;
  /** Whether the sandbox answers 200 to /alive on its public path. */
  probe: (record: RuntimeRecord, signal: AbortSignal) => Promise<boolean>;
  /** Called when it boots for so long that others shall start beside it. May be called again. */
  onSlowBoot: (id: string) => void;
  /** Called when the sandbox's process has ended. */
  onHalted: (id: string) => void;
  /** Gives the runtime a host port that no other one has. */
  assignPort: (entry: Entry) => Promise<void>;
};

export interface Steps {
  look(entry: Entry): Promise<void>;
  fetch(entry: Entry): Promise<void>;
  create(entry: Entry): Promise<void>;
  start(entry: Entry): Promise<void>;
  probe(entry: Entry): Promise<void>;
  halt(entry: Entry): Promise<void>;
  remove(entry: Entry): Promise<void>;
  autopsy(entry: Entry): Promise<void>;
  giveUp(entry: Entry): Promise<void>;
  clear(entry: Entry): Promise<void>;
}

/** The steps that a reconciler takes: each one changes what is known of the runtime, or throws. */
export function createSteps(options: StepOptions): Steps {
  const { engine, images, clock, probe } = options;

  async function look(entry: Entry): Promise<void> {
    const { suspicion } = entry;
    const sandbox = await engine.inspect(entry.record.id);
    const { record, endpoints } = entry;
    const now = clock.now();
    const lost = suspicion?.lost ?? "exited";
    const found = finding({ record, state: sandbox?.state, lost, now });
    // A sign that came while the engine was asked may be newer than its answer.
    if (entry.suspicion === suspicion) entry.suspicion = null;
    entry.endpoints = sandbox?.endpoints ?? {};
    if (found.state === "failed") {
      fail(entry, now, found.verdict, found.reason);
      return;
    }
    // What could not be dialled until now cannot have been late.
    const isNew = found.state === "booting" && endpoints.agent === undefined;
    observe(entry, isNew ? { state: "booting", since: now } : found);
    if (record.observed.state === "ready" && found.state === "booting") {
      entry.record = { ...entry.record, restartCount: record.restartCount + 1 };
      note(entry, now, "Restarted", "something else started its process again");
    }
  }

  async function create(entry: Entry): Promise<void> {
    const { image, injections } = entry;
    if (!image) throw new ServiceError("internal", `${entry.record.id}: create without an image`);
    const { limits } = options;
    try {
      await engine.create(planContainer({ record: entry.record, image, injections, limits }));
    } catch (error) {
      await onCreateRefused(entry, error);
      return;
    }
    observe(entry, { state: "created" });
    for (const { path, image: reference, imageId } of injections)
      note(entry, clock.now(), "Injected", `${path} of ${reference} (${imageId})`);
    note(entry, clock.now(), "Created", "container created");
  }

  async function onCreateRefused(entry: Entry, error: unknown): Promise<void> {
    const { code } = suspectUnanswered(entry, error);
    if (code === "not_found") {
      entry.image = null;
      images.outdate();
    }
    if (code !== "conflict") throw error;
    // The name is taken by this very runtime: an earlier try, or an earlier life of the server, created it.
    await look(entry);
    if (entry.record.observed.state === "none") throw error;
    note(entry, clock.now(), "Adopted", "its container is there already");
  }

  async function start(entry: Entry): Promise<void> {
    try {
      await engine.start(entry.record.id);
    } catch (error) {
      await onStartRefused(entry, error);
      return;
    }
    const now = clock.now();
    observe(entry, { state: "booting", since: now });
    note(entry, now, "Started", "container started");
    // Where it can be dialled, and whether it has ended already. If that fails it is the next step.
    entry.suspicion = { lost: "exited" };
    await look(entry);
  }

  async function onStartRefused(entry: Entry, error: unknown): Promise<void> {
    const { code } = suspectUnanswered(entry, error);
    const { id, hostPort, observed } = entry.record;
    if (code === "not_found") {
      await look(entry);
      if (entry.record.observed.state === "failed") return;
      // Removed before it ever ran, or on its way out: with a wait, lest the engine be asked in a circle.
      throw new ServiceError("unavailable", `the container ${id} is gone`, { cause: error });
    }
    // One that has run keeps its port with its files, as a container cannot be bound to another one.
    const isNew = observed.state === "created" && entry.portMoves < MOST_PORT_MOVES;
    if (code !== "conflict" || hostPort === null || !isNew) throw error;
    await engine.remove(id);
    observe(entry, { state: "none" });
    entry.portMoves += 1;
    await options.assignPort(entry);
    const message = `host port ${hostPort} is in use by another program`;
    note(entry, clock.now(), "PortTaken", `${message}; trying ${entry.record.hostPort}`);
  }

  /** What was not answered may have been done all the same. */
  function suspectUnanswered(entry: Entry, cause: unknown): ServiceError {
    const error = ServiceError.from(cause);
    if (isPassing(error)) entry.suspicion = { lost: "exited" };
    return error;
  }

  async function probeUntilReady(entry: Entry): Promise<void> {
    const { observed } = entry.record;
    const deadline =
      (observed.state === "booting" ? observed.since : clock.now()) + options.bootTimeoutMs;
    const slowAt = clock.now() + SLOW_BOOT_MS;
    const { signal } = entry.interrupt;
    for (let attempt = 0; clock.now() < deadline; attempt += 1) {
      if (clock.now() >= slowAt) options.onSlowBoot(entry.record.id);
      const alive = await probe(entry.record, signal);
      signal.throwIfAborted();
      if (alive) {
        const now = clock.now();
        entry.record = { ...entry.record, readyAt: entry.record.readyAt ?? now };
        observe(entry, { state: "ready", since: now });
        note(entry, now, "Ready", "GET /alive answered 200");
        return;
      }
      await clock.sleep(PROBE_MS[Math.min(attempt, PROBE_MS.length - 1)] ?? 250, signal);
    }
  }

  /** Before it was ever ready nothing in the container is worth keeping; after that its files are, for /resume. */
  async function clear(entry: Entry): Promise<void> {
    const { id, readyAt } = entry.record;
    if (readyAt === null) {
      await engine.remove(id);
    } else {
      await engine.stop(id, 0);
      const state = (await engine.inspect(id))?.state;
      entry.filesGone = state === undefined || (state.kind === "exited" && state.removing === true);
    }
    options.onHalted(id);
    entry.debris = false;
  }

  async function end(
    entry: Entry,
    verdict: "oom" | "exited" | "boot_timeout",
    reason: string,
  ): Promise<void> {
    const lastLogs = await logsOf(entry.record.id);
    entry.record = { ...entry.record, lastLogs };
    fail(entry, clock.now(), verdict, reason);
  }

  async function logsOf(id: string): Promise<string> {
    try {
      return await engine.logs(id, LOG_LINES);
    } catch (error) {
      return `(the container's log could not be read: ${ServiceError.from(error).message})`;
    }
  }

  return {
    look,
    fetch: createFetchStep(options),
    create,
    start,
    probe: probeUntilReady,
    clear,
    async halt(entry) {
      await engine.stop(entry.record.id, options.pauseGraceSeconds);
      options.onHalted(entry.record.id);
      const now = clock.now();
      entry.endpoints = {};
      entry.suspicion = null;
      if (entry.record.desired === "paused") entry.record = { ...entry.record, restingSince: now };
      observe(entry, { state: "paused" });
      note(entry, now, "Paused", "process ended, files kept");
    },
    async remove(entry) {
      await engine.remove(entry.record.id);
      options.onHalted(entry.record.id);
      entry.endpoints = {};
      observe(entry, { state: "none" });
    },
    async autopsy(entry) {
      const { observed } = entry.record;
      if (observed.state !== "exited") return;
      const { exitCode, oomKilled } = observed;
      const oomAdvice =
        "killed for lack of memory (OOMKilled); start it with a larger resource_factor";
      if (oomKilled) await end(entry, "oom", oomAdvice);
      else await end(entry, "exited", `the command ended with exit code ${exitCode}`);
    },
    giveUp(entry) {
      const within = `GET /alive did not answer 200 within ${options.bootTimeoutMs / 1000} s`;
      return end(entry, "boot_timeout", `${within}; does the command listen on 0.0.0.0:60000?`);
    },
  };
}
