import { canonicalNames } from "@remote-runtime/image";
import { ServiceError } from "@remote-runtime/protocol";
import type { Registry, RuntimeRecord, Verdict } from "@remote-runtime/registry";
import { createAdmission, type Admission, type AdmissionLimits } from "./admission.ts";
import { createAdopter, type Adopter } from "./adopter.ts";
import type { Endpoint, SandboxService } from "./engine.ts";
import { note, type Entry } from "./entry.ts";
import { createInheritance } from "./inheritance.ts";
import { createKeeper, type Keeper, type KeeperOptions } from "./keeper.ts";
import { createLedger } from "./ledger.ts";
import { createPortAssigner } from "./port-assigner.ts";
import { createReaper, type ReaperOptions } from "./reaper.ts";
import { createReconciler, type ReconcilerOptions } from "./reconciler.ts";
import { createRoster } from "./roster.ts";
import { createStarter, type StarterOptions, type StartOrder } from "./starter.ts";
import { createSteps, type StepOptions } from "./step.ts";
import { holdsCompute, isLive } from "./view.ts";

/** Where the bytes of a sandbox go now. */
export type SandboxRoute =
  | { kind: "live"; endpoint: Endpoint }
  | { kind: "waiting"; reason: string }
  | { kind: "paused" }
  | { kind: "gone" }
  | { kind: "unknown" };

export interface Runtimes extends Pick<Adopter, "adopt">, Pick<Admission, "reconsider">, Keeper {
  /** Answers as soon as the order is on record; the same live runtime for the same session. Resumes a paused one. */
  start(order: StartOrder): Promise<RuntimeRecord>;
  /**
   * Each of these takes effect for the next reader at once; the container follows. `undefined`: not one of ours.
   * `resume` throws `conflict` when the runtime's files are gone: it never goes on with an empty file system.
   */
  stop(id: string, verdict?: Verdict): RuntimeRecord | undefined;
  pause(id: string): RuntimeRecord | undefined;
  resume(id: string): RuntimeRecord | undefined;
  /** From memory. Ended runtimes are known for a day. */
  get(id: string): RuntimeRecord | undefined;
  bySession(owner: string, sessionId: string): RuntimeRecord | undefined;
  list(owner: string): RuntimeRecord[];
  /** Marks that a caller came back for it. */
  touch(id: string): void;
  route(id: string, service: SandboxService): SandboxRoute;
  counts(): RuntimeCounts;
  /** The images of all that have not ended, by canonical reference. */
  images(): ReadonlySet<string>;
}

export type RuntimeCounts = {
  /** For their turn to start. */
  waiting: number;
  starting: number;
  /** Those that hold compute, starting ones included, and the memory that they are counted with. */
  running: number;
  memoryBytes: number;
  /** Those that hold compute or are about to. */
  live: number;
  /** Those that would be missed with the replica: all but the ones that have failed and left no files. */
  kept: number;
  known: number;
};

export type RuntimesOptions = Pick<KeeperOptions, "engine" | "onImages"> &
  Pick<ReaperOptions, "lifetime" | "activity" | "agentIdleMs"> &
  Pick<ReconcilerOptions, "memoryReservedBytes" | "mayEnd" | "onChange" | "log"> &
  Pick<StarterOptions, "replicaId" | "onUnplaced" | "afterBurst" | "newId" | "newSecret"> &
  Omit<StepOptions, "assignPort" | "onSlowBoot"> & {
    registry: Registry;
    /** How many may start and run, and with how much memory as counted by `memoryReservedBytes`. */
    turnLimits: () => AdmissionLimits;
    /** A free host port that is none of `taken`. */
    pickPort: (taken: ReadonlySet<number>) => Promise<number>;
  };

/** The runtimes of one replica: commands write what is wanted, one loop per runtime brings it about. */
export function createRuntimes(options: RuntimesOptions): Runtimes {
  const { clock } = options;
  const roster = createRoster();
  const { entries } = roster;
  const admission = createAdmission({
    limits: options.turnLimits,
    grant(id) {
      // In a later microtask, as the applicant may still be in the step in which it asked.
      queueMicrotask(() => {
        const entry = entries.get(id);
        if (entry?.step === null) reconciler.wake(entry);
      });
    },
  });
  const ledger = createLedger({
    ...options,
    latest: (id) => entries.get(id)?.record,
    onLost: lose,
    onStopped: (id) => void stop(id),
    onReplaced(id) {
      const entry = entries.get(id);
      if (entry) note(entry, clock.now(), "Replaced", "another runtime has its session");
      stop(id);
    },
  });
  const assignPort = createPortAssigner({ entries, pickPort: options.pickPort });
  const steps = createSteps({ ...options, assignPort, onSlowBoot: admission.started });
  const forget = roster.forget;
  const reconciler = createReconciler({ ...options, steps, admission, ledger, forget });
  const reap = createReaper({ ...options, entries, stop, pause });
  const adopter = createAdopter({ ...options, roster, reconciler, ledger, stop, lose });
  const inheritance = createInheritance({ ...options, roster, adopter });
  const keeper = createKeeper({
    ...options,
    roster,
    reconciler,
    adopter,
    inheritance,
    ledger,
    reap,
  });
  const starter = { ...options, roster, ledger, reconciler, assignPort };
  const start = createStarter({ ...starter, stop, resume: resumeEntry });

  function want(entry: Entry, change: Partial<RuntimeRecord>): RuntimeRecord {
    entry.record = { ...entry.record, ...change };
    reconciler.wake(entry);
    reconciler.save(entry);
    return reconciler.shown(entry);
  }

  function stop(id: string, verdict: Verdict = "stopped"): RuntimeRecord | undefined {
    const entry = entries.get(id);
    if (!entry) return ledger.ended(id);
    if (entry.record.desired === "stopped") return reconciler.shown(entry);
    roster.leave(entry);
    admission.release(id);
    const now = clock.now();
    note(entry, now, "Stopped", verdict);
    const { verdict: earlier, endedAt } = entry.record;
    return want(entry, {
      desired: "stopped",
      verdict: earlier ?? verdict,
      endedAt: endedAt ?? now,
    });
  }

  /** Its container and its session are the other replica's now, and are not touched, unless it was stopped here meanwhile. */
  function lose(id: string, owner: string): void {
    const entry = entries.get(id);
    const last = entry?.record ?? ledger.ended(id);
    const isStopped = last?.desired === "stopped";
    ledger.drop(id, isStopped ? { ...last, replicaId: owner } : undefined);
    roster.lose(id);
    if (!entry) return;
    reconciler.lose(entry);
    if (isStopped) adopter.removeLeftover(id);
    options.log.warn({ runtime: id, owner }, "another replica has taken a runtime over");
  }

  function pause(id: string): RuntimeRecord | undefined {
    const entry = entries.get(id);
    if (!entry) return ledger.ended(id);
    const { desired, observed } = entry.record;
    if (desired !== "running" || observed.state === "failed") return reconciler.shown(entry);
    return want(entry, { desired: "paused", restingSince: clock.now() });
  }

  function resumeEntry(entry: Entry): RuntimeRecord {
    const now = clock.now();
    entry.claimedAt = now;
    entry.touched = true;
    const { desired, observed } = entry.record;
    if (observed.state === "failed" && desired !== "stopped") return startOver(entry);
    if (desired !== "paused") return reconciler.shown(entry);
    // Its pause is under way: what was ready is about to end, and a caller would believe the word.
    const ending =
      observed.state === "ready" ? { state: "booting" as const, since: now } : observed;
    return want(entry, { desired: "running", restingSince: null, observed: ending });
  }

  /** A failed one that was ready goes on with its files, or not at all; any other goes through creation again. */
  function startOver(entry: Entry): RuntimeRecord {
    const { id, readyAt } = entry.record;
    if (readyAt !== null && entry.filesGone) {
      const advice = "POST /start of its session makes a new runtime";
      throw new ServiceError("conflict", `the files of runtime ${id} are gone; ${advice}`);
    }
    entry.suspicion = { lost: "exited" };
    entry.debris = false;
    entry.filesGone = false;
    entry.image = null;
    entry.failures = 0;
    entry.portMoves = 0;
    const shown = want(entry, {
      desired: "running",
      // Which a look will correct: its container may be there, or gone with the files.
      observed: { state: readyAt === null ? "none" : "paused" },
      verdict: null,
      endedAt: null,
      restingSince: null,
    });
    // Failed, it held its session against nobody.
    ledger.reclaim(shown);
    return shown;
  }

  /**
   * Clients that have its URL from here need not know that another replica of this engine has it now, nor that this one
   * listens at the port at which that one did before both were started again.
   */
  function routeElsewhere(id: string, service: SandboxService): SandboxRoute {
    const endpoint = roster.elsewhere(id)?.[service];
    if (endpoint) return { kind: "live", endpoint };
    if (ledger.ended(id)) return { kind: "gone" };
    const seen = roster.seen(id);
    if (!seen) return { kind: "unknown" };
    const known = seen[service];
    if (known) return { kind: "live", endpoint: known };
    return {
      kind: "waiting",
      reason: "another replica of this engine has it, and it does not run",
    };
  }

  return {
    start,
    stop,
    pause,
    resume(id) {
      const entry = entries.get(id);
      return entry ? resumeEntry(entry) : ledger.ended(id);
    },
    get(id) {
      const entry = entries.get(id);
      return entry && hasAddress(entry) ? reconciler.shown(entry) : ledger.ended(id);
    },
    bySession(owner, sessionId) {
      const entry = roster.ofSession({ owner, sessionId });
      return entry && hasAddress(entry) ? reconciler.shown(entry) : undefined;
    },
    list: (owner) =>
      [...entries.values()]
        .filter((entry) => entry.record.owner === owner && hasAddress(entry))
        .map(reconciler.shown),
    touch(id) {
      const entry = entries.get(id);
      if (entry) entry.touched = true;
    },
    route(id, service) {
      const entry = entries.get(id);
      if (!entry) return routeElsewhere(id, service);
      const { desired, observed, readyAt } = entry.record;
      if (desired === "stopped") return { kind: "gone" };
      if (observed.state === "failed") {
        // What was ready once has files that /resume brings back: clients take a 404 for the end.
        const reason = `it has failed (${observed.reason}); POST /resume starts it again`;
        const isGone = readyAt === null || entry.filesGone;
        return isGone ? { kind: "gone" } : { kind: "waiting", reason };
      }
      if (desired === "paused") return { kind: "paused" };
      const endpoint = entry.endpoints[service];
      return endpoint ? { kind: "live", endpoint } : { kind: "waiting", reason: "it is starting" };
    },
    counts: () => ({
      ...admission.counts(),
      live: [...entries.values()].filter(({ record }) => holdsCompute(record)).length,
      kept: [...entries.values()].filter(hasSomething).length,
      known: entries.size,
    }),
    images() {
      const live = [...entries.values()].filter(({ record }) => isLive(record));
      return new Set(canonicalNames(live.map(({ record }) => record.spec.image)));
    },
    reconsider: admission.reconsider,
    republish: keeper.republish,
    inherit: keeper.inherit,
    adopt: adopter.adopt,
    async run(signal) {
      await keeper.run(signal);
      reconciler.close();
      for (const entry of entries.values()) entry.interrupt.abort();
      await ledger.retry();
    },
  };
}

function hasSomething({ record, filesGone }: Entry): boolean {
  return record.observed.state !== "failed" || (record.readyAt !== null && !filesGone);
}

/** Without its port it has no URL yet, and nobody is shown it. */
function hasAddress({ record }: Entry): boolean {
  return record.urlForm !== "port" || record.hostPort !== null;
}
