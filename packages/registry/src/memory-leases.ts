import { createMemoryEntries } from "./memory-entries.ts";

/** What one has at a time, by its name, and until when: of one process. */
export interface MemoryLeases {
  /** Gives it to `wanted`, unless another has it that is not `replacing`. Its time begins anew for the one that has it. */
  take(lease: { name: string; wanted: string; ttlMs: number; replacing?: string | undefined }): {
    holder: string;
    isNew: boolean;
  };
  /** Begins its time anew, whoever has it. */
  prolong(name: string, ttlMs: number): void;
  /** Gives it back, if `holder` has it. */
  release(name: string, holder: string): void;
}

export function createMemoryLeases(now: () => number): MemoryLeases {
  const leases = createMemoryEntries(now);
  return {
    take({ name, wanted, ttlMs, replacing }) {
      const holder = leases.get(name)?.text;
      if (holder !== undefined && holder !== replacing && holder !== wanted) {
        return { holder, isNew: false };
      }
      leases.sweep();
      leases.set(name, { text: wanted, expiresAt: now() + ttlMs });
      return { holder: wanted, isNew: holder !== wanted };
    },
    prolong(name, ttlMs) {
      const lease = leases.get(name);
      if (lease) lease.expiresAt = now() + ttlMs;
    },
    release(name, holder) {
      if (leases.get(name)?.text === holder) leases.delete(name);
    },
  };
}
