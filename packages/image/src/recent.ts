/** Values that are forgotten after their time, or when there are more than `limit`: the oldest first. */
export interface Recent<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, ttlMs: number): void;
  delete(key: string): void;
}

/** `now`: milliseconds, of any clock. */
export function createRecent<V>({ now, limit }: { now: () => number; limit: number }): Recent<V> {
  // A Map keeps the order of insertion.
  const entries = new Map<string, { value: V; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry && now() < entry.until) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set(key, value, ttlMs) {
      entries.delete(key);
      entries.set(key, { value, until: now() + ttlMs });
      if (entries.size <= limit) return;
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
  };
}
