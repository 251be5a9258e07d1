import type { RuntimeRecord, SessionKey } from "@remote-runtime/registry";
import type { Sandbox } from "./engine.ts";
import type { Entry } from "./entry.ts";
import { isLive } from "./view.ts";

/** The runtimes that a replica has in memory. */
export interface Roster {
  /** By id. */
  readonly entries: ReadonlyMap<string, Entry>;
  /**
   * Takes it in. It gets its session, unless a runtime has that which is live and it is not, or which is newer; or unless
   * `claims` is false (default true).
   */
  enter(entry: Entry, options?: { claims: boolean }): void;
  /** Its session is free for another one. */
  leave(entry: Entry): void;
  forget(entry: Entry): void;
  /** Another replica has it, whatever its container's label says. */
  lose(id: string): void;
  /** Where one that was lost can be dialled; `undefined`: it was not lost, or has no container any more. */
  elsewhere(id: string): Sandbox["endpoints"] | undefined;
  /** All containers of the engine: what was lost and is not among them is forgotten. */
  see(sandboxes: readonly Sandbox[]): void;
  /** Its process has ended, or its container is gone: nothing is to be dialled there before the next `see`. */
  ended(id: string): void;
  /** Where what the last `see` saw can be dialled, whosever it is; `undefined`: it saw no such container. */
  seen(id: string): Sandbox["endpoints"] | undefined;
  ofSession(key: SessionKey): Entry | undefined;
}

export function createRoster(): Roster {
  const entries = new Map<string, Entry>();
  const holders = new Map<string, Entry>();
  const lost = new Map<string, Sandbox["endpoints"]>();
  let seen = new Map<string, Sandbox["endpoints"]>();

  function leave(entry: Entry): void {
    const key = keyText(entry.record);
    if (holders.get(key) === entry) holders.delete(key);
  }

  function forget(entry: Entry): void {
    leave(entry);
    entries.delete(entry.record.id);
  }

  return {
    entries,
    enter(entry, { claims } = { claims: true }) {
      lost.delete(entry.record.id);
      entries.set(entry.record.id, entry);
      const key = keyText(entry.record);
      const holder = holders.get(key);
      if (entry.record.desired === "stopped" || !claims) return;
      if (holder === undefined || outranks(entry.record, holder.record)) holders.set(key, entry);
    },
    leave,
    forget,
    lose(id) {
      const entry = entries.get(id);
      lost.set(id, entry?.endpoints ?? lost.get(id) ?? {});
      if (entry) forget(entry);
    },
    elsewhere: (id) => lost.get(id),
    see(sandboxes) {
      seen = new Map(sandboxes.map(({ id, endpoints }) => [id, endpoints]));
      for (const id of lost.keys()) {
        const endpoints = seen.get(id);
        if (endpoints) lost.set(id, endpoints);
        else lost.delete(id);
      }
    },
    ended(id) {
      if (seen.has(id)) seen.set(id, {});
    },
    seen: (id) => seen.get(id),
    ofSession: (key) => holders.get(keyText(key)),
  };
}

function outranks(candidate: RuntimeRecord, holder: RuntimeRecord): boolean {
  if (isLive(candidate) !== isLive(holder)) return isLive(candidate);
  return candidate.createdAt > holder.createdAt;
}

function keyText({ owner, sessionId }: SessionKey): string {
  return JSON.stringify([owner, sessionId]);
}
