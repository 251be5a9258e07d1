/** Something that writes to an engine's disk. */
export type DiskUse = {
  /** Begins messages: `pull of …`. */
  what: string;
  /** What it will take, where that is known. */
  sizeBytes?: number | undefined;
  /** Told why it waits. */
  onWait: (reason: string) => void;
  signal: AbortSignal;
  /** How long it may wait for room, in milliseconds; with 0 nothing is removed for it either. Default: ten minutes. */
  patienceMs?: number | undefined;
  /**
   * Whether it belongs to a prefetch: then it stays below the high mark, removes nothing that prefetches under way have
   * brought, and is the first to be given up. Asked again and again, as a start may come to want it too. Default: no.
   */
  isExtra?: () => boolean;
  /** Nothing ends what it writes, so others are given up before the disk is full. Default: its signal does. */
  isEndless?: boolean;
  /** Runs what only waits, so that others may have the caller's turn meanwhile. Default: the turn is kept. */
  outOfTurn?: (wait: () => Promise<void>) => Promise<void>;
};
