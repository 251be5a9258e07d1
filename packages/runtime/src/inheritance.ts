import type { Registry, RuntimeRecord } from "@remote-runtime/registry";
import { createRing } from "@remote-runtime/ring";
import type { Adopter } from "./adopter.ts";
import { recordOfLabel } from "./adoption.ts";
import type { Clock } from "./clock.ts";
import type { Engine, Sandbox } from "./engine.ts";
import { noted } from "./entry.ts";
import type { Roster } from "./roster.ts";
import { isLive } from "./view.ts";

/** Records that are asked for together. */
const AT_ONCE = 100;

/** Replicas of one engine: those that are gone, and those that share what they had. */
export type Estate = { gone: readonly string[]; heirs: readonly string[] };

export interface Inheritance {
  /**
   * Takes over what falls to this replica of the runtimes of those that are gone, and returns how many those were. Throws
   * when registry or engine do not answer; what is done by then stays done, and the rest is for the next call.
   */
  inherit(estate: Estate): Promise<number>;
}

export type InheritanceOptions = {
  replicaId: string;
  registry: Pick<
    Registry,
    "replicas" | "recordsOfReplica" | "records" | "takeOver" | "putRecord" | "sessionHolder"
  >;
  engine: Pick<Engine, "list" | "inspect">;
  roster: Pick<Roster, "entries" | "ofSession">;
  adopter: Pick<Adopter, "take" | "suspectRecords">;
  clock: Pick<Clock, "now">;
};

/** One replica's part of what others of its engine leave behind. Whoever changes the record first has the runtime. */
export function createInheritance(options: InheritanceOptions): Inheritance {
  const { replicaId, registry, engine, roster, adopter, clock } = options;

  async function inheritFrom(from: string, heirs: readonly string[]): Promise<number> {
    const ring = createRing(heirs.map((id) => ({ id, weight: 1 })));
    const isMine = ({ id }: { id: string }): boolean => ring.order(id)[0] === replicaId;
    const sandboxes = new Map((await engine.list()).map((sandbox) => [sandbox.id, sandbox]));
    const live = (await registry.recordsOfReplica(from, { live: true })).filter(isMine);
    const recorded = new Set(live.map(({ id }) => id));
    const orphans = [...sandboxes.values()]
      .filter((sandbox) => sandbox.replicaId === from && !recorded.has(sandbox.id))
      .filter((sandbox) => isMine(sandbox) && !roster.entries.has(sandbox.id));
    const others = await registry.records(orphans.map(({ id }) => id));

    // What runs is counted before anything that waits may ask for a turn.
    const running = [...live.filter(({ id }) => sandboxes.has(id)), ...others.values()];
    const waiting = live.filter(({ id }) => !sandboxes.has(id));
    const claims = [
      ...orphans.filter(({ id }) => !others.has(id)).map((sandbox) => () => record(sandbox, from)),
      ...[...running, ...waiting].map(
        ({ id }) =>
          () =>
            registry.takeOver(id, from, replicaId),
      ),
    ];
    let count = 0;
    for (let first = 0; first < claims.length; first += AT_ONCE) {
      if (await isBack(from)) return count;
      count += await claim(claims.slice(first, first + AT_ONCE), { from, sandboxes });
    }
    return count;
  }

  async function isBack(from: string): Promise<boolean> {
    return (await registry.replicas()).some(({ id }) => id === from);
  }

  type Claim = () => Promise<RuntimeRecord | undefined>;

  async function claim(
    claims: Claim[],
    { from, sandboxes }: { from: string; sandboxes: ReadonlyMap<string, Sandbox> },
  ): Promise<number> {
    const answers = await Promise.allSettled(claims.map((make) => make()));
    const message = `from replica ${from}, which is gone`;
    const records = answers
      .flatMap((answer) => (answer.status === "fulfilled" ? (answer.value ?? []) : []))
      .map((record) => noted(record, clock.now(), "TakenOver", message));
    const replaced = new Set<string>();
    for (const one of records) if (await isReplaced(one)) replaced.add(one.id);
    const { doubtful = [], plain = [] } = Object.groupBy(records, (one) =>
      hasContainer(one) && !sandboxes.has(one.id) ? "doubtful" : "plain",
    );
    adopter.take(
      plain.flatMap(({ id }) => sandboxes.get(id) ?? []),
      plain,
      replaced,
    );
    const refused = answers.find((answer) => answer.status === "rejected");
    // It may have been done all the same.
    if (refused) adopter.suspectRecords();
    for (const one of doubtful) await takeLooking(one, replaced);
    if (refused) throw refused.reason;
    return records.length;
  }

  /** A start that never got its session ends, rather than the runtime of this replica that has it. */
  async function isReplaced(taken: RuntimeRecord): Promise<boolean> {
    const rival = roster.ofSession(taken);
    if (!rival || !isLive(rival.record)) return false;
    // A registry that is away now decides nothing: the later one stays, as after any restart.
    const holder = await registry.sessionHolder(taken).catch(() => undefined);
    return holder === rival.record.id;
  }

  /** Its replica was there for long enough to make a container after the list. */
  async function takeLooking(taken: RuntimeRecord, replaced: ReadonlySet<string>): Promise<void> {
    try {
      const sandbox = await engine.inspect(taken.id);
      adopter.take(sandbox ? [sandbox] : [], [taken], replaced);
    } catch (error) {
      adopter.suspectRecords();
      throw error;
    }
  }

  /** Nobody has a record of it: its label becomes one, unless another replica was faster. */
  async function record(sandbox: Sandbox, from: string): Promise<RuntimeRecord | undefined> {
    const label = recordOfLabel(sandbox);
    if (label?.replicaId !== from) return undefined;
    const own = { ...label, replicaId };
    return (await registry.putRecord(own)) === undefined ? own : undefined;
  }

  return {
    async inherit({ gone, heirs }) {
      let count = 0;
      for (const from of gone) count += await inheritFrom(from, heirs);
      return count;
    },
  };
}

function hasContainer({ observed }: RuntimeRecord): boolean {
  return !["none", "queued", "pulling", "failed"].includes(observed.state);
}
