import type { Registry } from "@remote-runtime/registry";
import type { Adopter } from "./adopter.ts";
import { agrees } from "./agrees.ts";
import type { Clock } from "./clock.ts";
import type { Engine, EngineEvent } from "./engine.ts";
import type { Entry, Loss } from "./entry.ts";
import type { Estate, Inheritance } from "./inheritance.ts";
import type { Ledger } from "./ledger.ts";
import type { Log } from "./log.ts";
import type { Reconciler } from "./reconciler.ts";
import type { Roster } from "./roster.ts";

/** How often everything is compared with the engine's full list, for events that were missed. */
const SWEEP_MS = 30_000;
const REAP_MS = 5_000;
const CATCH_UP_MS = 2_000;

export interface Keeper {
  /** Follows the engine and the clock until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Writes everything to the registry again, after that has lost it or has taken this replica for gone; what others have
   * taken over by then is forgotten. Ends when that is done, or the registry is away again.
   */
  republish(): Promise<void>;
  /** As Inheritance has it. */
  inherit(estate: Estate): Promise<void>;
}

export type KeeperOptions = {
  engine: Pick<Engine, "list" | "watch">;
  registry: Pick<Registry, "onChange">;
  roster: Roster;
  reconciler: Pick<Reconciler, "wake" | "suspect" | "shown">;
  adopter: Pick<Adopter, "adoptUnknown" | "catchUp" | "suspectRecords">;
  inheritance: Inheritance;
  ledger: Pick<Ledger, "reclaim" | "distrust">;
  /** As the reconciler has it. */
  mayEnd: () => boolean;
  reap: () => Promise<void>;
  clock: Clock;
  /** The engine's images changed. */
  onImages: () => void;
  log: Log;
};

/** Keeps the memory of a replica true: engine events, a full comparison now and then, limits of time. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { engine, roster, reconciler, adopter, ledger, clock, log } = options;
  const { entries } = roster;
  let isFollowing = true;
  /** What has ended processes that are found to have ended: an engine that nobody followed may have been away itself. */
  let loss: Loss = "exited";

  async function compare(): Promise<void> {
    const lost = loss;
    const before = new Map([...entries].map(([id, { record }]) => [id, record.observed]));
    const sandboxes = new Map((await engine.list()).map((sandbox) => [sandbox.id, sandbox]));
    for (const [id, entry] of entries) {
      const { record } = entry;
      // What has changed since the list was asked for is newer than the list.
      if (before.get(id) !== record.observed || agrees(record, sandboxes.get(id)?.state)) continue;
      if (record.observed.state === "failed") {
        entry.debris = true;
        reconciler.wake(entry);
      } else {
        reconciler.suspect(entry, lost);
      }
    }
    if (isFollowing) loss = "exited";
    await adopter.adoptUnknown([...sandboxes.values()]);
  }

  function onEngineEvent(event: EngineEvent): void {
    switch (event.kind) {
      case "disconnected":
        isFollowing = false;
        loss = "engine_lost";
        return;
      case "reconnected":
        isFollowing = true;
        void compareNow();
        options.onImages();
        return;
      case "images":
        options.onImages();
        return;
      case "sandbox": {
        if (event.action === "started") return;
        roster.ended(event.id);
        const entry = entries.get(event.id);
        if (!entry) return;
        const hasFailed = entry.record.observed.state === "failed";
        if (hasFailed && event.action === "removed") entry.filesGone = true;
        else reconciler.suspect(entry, "exited");
      }
    }
  }

  async function reclaim(entry: Entry): Promise<void> {
    try {
      await entry.accepted;
    } catch {
      // It was refused, and is none of ours.
      return;
    }
    ledger.reclaim(reconciler.shown(entry));
  }

  async function attempt(what: string, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      log.warn({ err: error }, `${what} failed; it is tried again soon`);
    }
  }

  async function every(
    ms: number,
    signal: AbortSignal,
    task: () => Promise<unknown>,
  ): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(ms, signal).catch(() => undefined);
      if (!signal.aborted) await task();
    }
  }

  const compareNow = (): Promise<void> => attempt("the comparison with the engine", compare);
  const reapNow = async (): Promise<void> => {
    if (options.mayEnd()) await attempt("the check of lifetimes", options.reap);
  };
  // The ledger says itself that the registry is away.
  const catchUpNow = (): Promise<void> => adopter.catchUp().catch(() => undefined);

  return {
    async run(signal) {
      engine.watch(onEngineEvent, signal);
      // A registry that is back is told at once what it has missed: until then nobody else knows of a stop, say.
      const unsubscribe = options.registry.onChange(({ kind }) => {
        if (kind === "unknown") void catchUpNow();
      });
      // What happened between the adoption and this moment.
      await compareNow();
      await Promise.all([
        every(SWEEP_MS, signal, compareNow),
        every(REAP_MS, signal, reapNow),
        every(CATCH_UP_MS, signal, catchUpNow),
      ]);
      unsubscribe();
    },
    async republish() {
      ledger.distrust();
      for (const entry of entries.values()) void reclaim(entry);
      await catchUpNow();
      // Others that stopped one of these meanwhile say so now, perhaps after it was read.
      adopter.suspectRecords();
    },
    async inherit(estate) {
      // Their containers may have changed since they were listed, and nobody followed them.
      if ((await options.inheritance.inherit(estate)) > 0) await compareNow();
    },
  };
}
