import type { InjectStore } from "@remote-runtime/image";
import type { RuntimeSpec, UrlForm } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import type { Clock } from "./clock.ts";
import { createEntry, type Entry } from "./entry.ts";
import type { Ledger } from "./ledger.ts";
import type { Reconciler } from "./reconciler.ts";
import type { Roster } from "./roster.ts";
import { isLive } from "./view.ts";

export type StartOrder = {
  owner: string;
  sessionId: string;
  spec: RuntimeSpec;
  urlForm: UrlForm;
  /** Public URL of the server as the caller knows it. */
  publicBase: string;
  /** The host that its own port is on. Default: the server's, as the caller knows it. */
  portHost?: string | undefined;
  /** The caller's own key for the sandbox, if it sent one. */
  sessionApiKey: string | null;
  /** Why a gateway has placed it on this replica, in a word. Default: whoever asked came to this replica. */
  placement?: string | undefined;
  /** A gateway has just heard from the registry that nobody has the session. Default false: it may be away for all. */
  isUnclaimed?: boolean;
};

export type StarterOptions = {
  replicaId: string;
  injects: Pick<InjectStore, "requireMapped">;
  roster: Roster;
  ledger: Pick<Ledger, "accept">;
  reconciler: Pick<Reconciler, "wake" | "shown" | "save">;
  assignPort: (entry: Entry) => Promise<void>;
  stop: (id: string) => void;
  resume: (entry: Entry) => RuntimeRecord;
  /** A runtime of the image begins that no gateway has placed. */
  onUnplaced: (image: string) => void;
  /** A burst of starts is answered before the work of the engine on the first of them begins. */
  afterBurst: (begin: () => void) => void;
  clock: Pick<Clock, "now">;
  newId: () => string;
  newSecret: () => string;
};

/** Takes orders: one live runtime for each session, however often and by how many it is asked for. */
export function createStarter(
  options: StarterOptions,
): (order: StartOrder) => Promise<RuntimeRecord> {
  const { replicaId, roster, ledger, reconciler, clock } = options;

  /** Nothing is done with the entry before this is over. A refused one leaves no trace. */
  async function accept(
    entry: Entry,
    { replaced, waits }: { replaced: Entry | undefined; waits: boolean | undefined },
  ): Promise<void> {
    entry.step = "accept";
    try {
      if (entry.record.urlForm === "port") await options.assignPort(entry);
      const { record } = entry;
      await ledger.accept(record, { replacing: replaced?.record.id, waits });
      entry.saved = record;
    } catch (error) {
      roster.forget(entry);
      if (replaced && roster.entries.has(replaced.record.id)) roster.enter(replaced);
      throw error;
    } finally {
      entry.step = null;
    }
    if (replaced) options.stop(replaced.record.id);
    reconciler.save(entry);
    options.afterBurst(() => {
      if (roster.entries.get(entry.record.id) === entry && entry.step === null)
        reconciler.wake(entry);
    });
  }

  function newRecord(order: StartOrder, now: number, before?: RuntimeRecord): RuntimeRecord {
    const { sessionApiKey, placement, ...asked } = order;
    const accepted = {
      at: now,
      reason: "Accepted",
      message: `placed on replica ${replicaId} (${placement ?? "direct"})`,
    };
    return {
      ...asked,
      id: options.newId(),
      sessionApiKey: sessionApiKey ?? options.newSecret(),
      secretKey: options.newSecret(),
      replicaId,
      hostPort: null,
      desired: "running",
      observed: { state: "none" },
      verdict: null,
      createdAt: now,
      readyAt: null,
      restingSince: null,
      endedAt: null,
      restartCount: 0,
      lastLogs: "",
      events: [accepted, ...replacing(now, before)],
    };
  }

  return async ({ isUnclaimed, ...order }) => {
    const known = roster.ofSession(order);
    if (known && isLive(known.record)) {
      known.touched = true;
      await known.accepted;
      return options.resume(known);
    }
    options.injects.requireMapped(order.spec.inject ?? []);
    const now = clock.now();
    const entry = createEntry(newRecord(order, now, known?.record), now);
    roster.enter(entry);
    entry.accepted = accept(entry, { replaced: known, waits: isUnclaimed });
    await entry.accepted;
    if (order.placement === undefined) options.onUnplaced(order.spec.image);
    return reconciler.shown(entry);
  };
}

/** Whoever comes back to a session whose runtime has failed learns why there is another one, with no files in it. */
function replacing(at: number, before: RuntimeRecord | undefined): RuntimeRecord["events"] {
  if (before?.observed.state !== "failed") return [];
  const message = `runtime ${before.id}, which failed: ${before.observed.reason}`;
  return [{ at, reason: "Replaces", message }];
}
