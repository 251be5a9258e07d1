import type { RuntimeRecord, Verdict } from "@remote-runtime/registry";
import { adopt, type Adoption } from "./adoption.ts";
import type { Clock } from "./clock.ts";
import type { Engine, Sandbox } from "./engine.ts";
import { createEntry } from "./entry.ts";
import type { Ledger } from "./ledger.ts";
import type { Log } from "./log.ts";
import type { Reconciler } from "./reconciler.ts";
import type { Roster } from "./roster.ts";

const RETRY_MS = 500;
/** After so many tries to read the records the containers alone have to do. */
const REGISTRY_TRIES = 4;

export interface Adopter {
  /**
   * Takes over what the registry and the engine know of this replica's runtimes. Waits until the engine answers; a
   * registry that does not is left to `catchUp`.
   */
  adopt(signal: AbortSignal): Promise<void>;
  /** Takes over those of these containers that are this replica's and unknown, and removes what was stopped, whosever it was. */
  adoptUnknown(sandboxes: Sandbox[]): Promise<void>;
  /** After the registry was away: reads what it says, then writes what it has missed. */
  catchUp(): Promise<void>;
  /** Takes in runtimes whose records were made this replica's just now; those whose session others have are ended. */
  take(sandboxes: Sandbox[], records: RuntimeRecord[], replaced: ReadonlySet<string>): void;
  /** Removes a container that no record wants. One that fails is found again by the next comparison. */
  removeLeftover(id: string): void;
  /** This replica may have been given records without hearing of it: `catchUp` reads them. */
  suspectRecords(): void;
}

export type AdopterOptions = {
  replicaId: string;
  engine: Pick<Engine, "list" | "remove">;
  roster: Roster;
  reconciler: Pick<Reconciler, "balance" | "shown" | "wake">;
  ledger: Pick<Ledger, "read" | "isRead" | "reclaim" | "ended" | "retry">;
  stop: (id: string, verdict: Verdict) => void;
  lose: (id: string, owner: string) => void;
  clock: Clock;
  log: Log;
};

export function createAdopter(options: AdopterOptions): Adopter {
  const { replicaId, engine, roster, reconciler, ledger, clock, log } = options;
  const { entries } = roster;
  /** What was on record before this process began could not be read, and is still to be taken over. */
  let lacksRecords = false;

  const isLabelledOwn = (sandbox: Sandbox): boolean => sandbox.replicaId === replicaId;

  /**
   * The records of this replica, of all that it has in memory, and of these containers. What others have ended is ended,
   * as a gateway does that while this replica seems to be gone; what others have taken over is left to them.
   */
  async function readRecords(sandboxes: Sandbox[]): Promise<RuntimeRecord[]> {
    const foreign = new Set(sandboxes.filter((one) => !isLabelledOwn(one)).map(({ id }) => id));
    const ids = sandboxes.map(({ id }) => id);
    const records = [...(await ledger.read([...entries.keys(), ...ids])).values()];
    for (const { id, desired, verdict, replicaId: owner } of records) {
      if (owner !== replicaId) {
        if (entries.has(id) || !foreign.has(id)) options.lose(id, owner);
      } else if (desired === "stopped" && entries.has(id)) options.stop(id, verdict ?? "stopped");
    }
    return records;
  }

  /**
   * Without records labels have to do, and nothing is removed because of what a label says; nor is what another replica is
   * known to have taken over this one's again because of its label.
   */
  function takeKnown(sandboxes: Sandbox[], records: RuntimeRecord[] | undefined): void {
    const recorded = new Set(records?.map(({ id }) => id));
    const own = sandboxes.filter(({ id }) => recorded.has(id) || !roster.elsewhere(id));
    const { leftovers } = takeIn(own, records ?? []);
    for (const id of leftovers) if (records || ledger.ended(id)) removeLeftover(id);
    const contained = new Set(sandboxes.map(({ id }) => id));
    for (const { id, desired, replicaId: owner } of records ?? []) {
      // Whoever had it may have been away, and nobody else finds it by its label.
      if (owner !== replicaId && desired === "stopped" && contained.has(id)) removeLeftover(id);
    }
  }

  function takeIn(
    sandboxes: Sandbox[],
    records: RuntimeRecord[],
    replaced: ReadonlySet<string> = new Set(),
  ): Adoption {
    const now = clock.now();
    const ended = (id: string): boolean => ledger.ended(id) !== undefined;
    const found = adopt({ replicaId, sandboxes, records, now, ended });
    const fresh = found.runtimes
      .filter(({ record }) => !entries.has(record.id))
      .map((adopted) => ({ ...createEntry(adopted.record, now), ...adopted, touched: true }));
    const rivals = fresh.flatMap(({ record }) => roster.ofSession(record) ?? []);
    // All of them are counted before the first of them may ask for a turn.
    for (const entry of fresh) {
      roster.enter(entry, { claims: !replaced.has(entry.record.id) });
      reconciler.balance(entry);
    }
    for (const entry of fresh) {
      ledger.reclaim(reconciler.shown(entry));
      reconciler.wake(entry);
    }
    for (const { record } of [...fresh, ...rivals]) {
      // Its session has another runtime: the server died before it could end this one.
      const holder = roster.ofSession(record)?.record.id;
      if (holder !== record.id) options.stop(record.id, record.verdict ?? "stopped");
    }
    if (fresh.length > 0) log.info({ runtimes: fresh.length }, "adopted runtimes");
    return found;
  }

  async function readAgain(): Promise<void> {
    const isLacking = lacksRecords;
    // It may be said again while this goes on.
    lacksRecords = false;
    try {
      // What a record says is compared with its container, which may carry another replica's label.
      const sandboxes = isLacking ? await engine.list() : [];
      const records = await readRecords(sandboxes);
      if (isLacking) takeKnown(sandboxes, records);
    } catch (error) {
      lacksRecords ||= isLacking;
      throw error;
    }
  }

  function removeLeftover(id: string): void {
    engine.remove(id).catch((error: unknown) => {
      log.warn({ runtime: id, err: error }, "a leftover container stays until the next comparison");
    });
  }

  return {
    removeLeftover,
    async adopt(signal) {
      let refusals = 0;
      for (let tries = 1; !signal.aborted; tries += 1) {
        try {
          const sandboxes = await engine.list();
          const records = await readRecords(sandboxes).catch((error: unknown) => {
            refusals += 1;
            if (refusals < REGISTRY_TRIES) throw error;
            log.warn({ err: error }, "no records can be read; containers tell what is there");
            return undefined;
          });
          takeKnown(sandboxes, records);
          roster.see(sandboxes);
          lacksRecords = records === undefined;
          return;
        } catch (error) {
          if (tries === 1) log.warn({ err: error }, "what is there cannot be read; trying again");
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
    },

    async adoptUnknown(sandboxes) {
      roster.see(sandboxes);
      const isUnknown = ({ id }: Sandbox): boolean => !entries.has(id);
      for (const { id } of sandboxes.filter(isUnknown)) {
        // Made after its end by a replica that did not know yet that it was taken for gone.
        if (ledger.ended(id)) removeLeftover(id);
      }
      const unknown = sandboxes.filter(isUnknown);
      if (unknown.length === 0) return;
      const ids = new Set(unknown.map(({ id }) => id));
      // Their labels have to do while the registry is away.
      const records = await readRecords(unknown).catch(() => undefined);
      takeKnown(
        unknown.filter(isUnknown),
        records?.filter((record) => ids.has(record.id)),
      );
      roster.see(sandboxes);
    },

    async catchUp() {
      if (lacksRecords || !ledger.isRead()) await readAgain();
      await ledger.retry();
    },

    take: (...found) => void takeIn(...found),
    suspectRecords: () => void (lacksRecords = true),
  };
}
