/** JSON text, as the other registries keep it: nobody can change an entry from outside, and reading parses. */
export type MemoryEntry = { text: string; expiresAt: number };

/** Values of one kind with their expiry. */
export interface MemoryEntries {
  /** `undefined` once it has expired: then it is dropped. */
  get(id: string): MemoryEntry | undefined;
  set(id: string, entry: MemoryEntry): void;
  delete(id: string): boolean;
  /** Drops all that have expired. */
  sweep(): void;
  /** Those that have not expired, sorted. */
  ids(): string[];
}

export function createMemoryEntries(now: () => number): MemoryEntries {
  const entries = new Map<string, MemoryEntry>();
  const get = (id: string): MemoryEntry | undefined => {
    const entry = entries.get(id);
    if (entry === undefined || entry.expiresAt > now()) return entry;
    entries.delete(id);
    return undefined;
  };
  return {
    get,
    set: (id, entry) => void entries.set(id, entry),
    delete: (id) => entries.delete(id),
    sweep: () => entries.forEach((_, id) => get(id)),
    ids: () => [...entries.keys()].filter((id) => get(id) !== undefined).toSorted(),
  };
}
