import { ServiceError } from "@remote-runtime/protocol";

export type UploadSpace = { freeBytes: number; reserveBytes: number };

export type UploadRoomOptions = {
  /** Of all uploads that are held or on their way. */
  maxBytes: number;
  /** What the disk has at this moment, and what is to stay free of it. `undefined`: nobody knows. */
  space: () => UploadSpace | undefined;
};

/** What may be written of uploads: of a size all together, and beside a reserve of the disk. */
export interface UploadRoom {
  /** Takes a place behind all others; each of its waits ends after so long. Throws `too_many_requests` when too many wait. */
  enter(waitMs: number): UploadShare;
}

/** What one upload has of the room, until it is disposed of: to be done when its files are gone. */
export interface UploadShare extends Disposable {
  /** Waits until so many bytes may be written in all. Throws `too_many_requests`, or the signal's reason. */
  promise(bytes: number, signal: AbortSignal): Promise<void>;
  /** Waits until so many more may be written now; what exceeds the promise makes it grow. Throws as `promise` does. */
  write(bytes: number, signal: AbortSignal): Promise<void>;
  /** All is written, and takes so many bytes. */
  settle(bytes: number): void;
}

type Waiting = {
  /** The promise that is asked for. */
  promisedBytes: number;
  writtenBytes: number;
  untilMs: number;
  resolve: () => void;
  reject: (error: unknown) => void;
};
type Share = {
  readonly waitMs: number;
  promisedBytes: number;
  writtenBytes: number;
  waiting?: Waiting | undefined;
};

const MIB = 1024 * 1024;
const MOST_WAITING = 256;
/** Others write to the disk as well, and tell nobody. */
const LOOK_EVERY_MS = 100;
const STEP_BYTES = MIB;
const BOUNDLESS: UploadSpace = { freeBytes: Number.POSITIVE_INFINITY, reserveBytes: 0 };

/**
 * Who comes first is served first, an upload under way before all that came after it. One that would find no room even when
 * all others were gone waits as well, and keeps nobody from going first.
 */
export function createUploadRoom({ maxBytes, space }: UploadRoomOptions): UploadRoom {
  /** In the order in which they came. */
  const shares = new Set<Share>();
  let timer: NodeJS.Timeout | undefined;

  const sum = (bytesOf: (share: Share) => number): number =>
    [...shares].reduce((bytes, share) => bytes + bytesOf(share), 0);
  const waiters = (): Share[] => [...shares].filter(({ waiting }) => waiting);

  function fitsLater(bytes: number): boolean {
    const { freeBytes, reserveBytes } = space() ?? BOUNDLESS;
    return bytes <= freeBytes - reserveBytes + sum(({ writtenBytes }) => writtenBytes);
  }

  function fits(moreBytes: number): boolean {
    const { freeBytes, reserveBytes } = space() ?? BOUNDLESS;
    const heldBytes = sum(({ promisedBytes }) => promisedBytes);
    const toComeBytes = heldBytes - sum(({ writtenBytes }) => writtenBytes);
    return heldBytes + moreBytes <= maxBytes && toComeBytes + moreBytes <= freeBytes - reserveBytes;
  }

  /** Half of the reserve is for what others write who were promised nothing here. */
  function isWritable(bytes: number): boolean {
    const { freeBytes, reserveBytes } = space() ?? BOUNDLESS;
    return bytes <= freeBytes - reserveBytes / 2;
  }

  function admit(): void {
    let isBlocked = false;
    for (const share of waiters()) {
      const { waiting } = share;
      if (!waiting) continue;
      const { promisedBytes, writtenBytes } = waiting;
      const moreBytes = promisedBytes - share.promisedBytes;
      if (moreBytes > 0) {
        if (isBlocked) continue;
        if (!fits(moreBytes)) {
          isBlocked = fitsLater(promisedBytes);
          continue;
        }
      } else if (!isWritable(writtenBytes - share.writtenBytes)) continue;
      Object.assign(share, { promisedBytes, writtenBytes, waiting: undefined });
      waiting.resolve();
    }
  }

  /** Of those that hold something one at a time is given up, the last to come: what it gives back may do for the others. */
  function refuse(): void {
    const overdue = waiters().filter(({ waiting }) => performance.now() >= (waiting?.untilMs ?? 0));
    const last = overdue.findLast(({ writtenBytes }) => writtenBytes > 0);
    for (const share of overdue) {
      if (share.writtenBytes > 0 && share !== last) continue;
      const { waiting } = share;
      share.waiting = undefined;
      if (waiting) waiting.reject(refusalOf(share, waiting));
    }
  }

  function refusalOf(share: Share, waiting: Waiting): ServiceError {
    const more = mebibytes(waiting.promisedBytes - share.promisedBytes);
    const held = mebibytes(sum((each) => each.promisedBytes));
    const disk = space();
    const free = disk ? `, and ${mebibytes(disk.freeBytes)} MiB are free on the disk` : "";
    return new ServiceError(
      "too_many_requests",
      `archives of builds take ${held} MiB of ${mebibytes(maxBytes)} here${free}; this one may take ${more} more; send it again in a while`,
    );
  }

  function look(): void {
    admit();
    refuse();
    admit();
    if (waiters().length > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  async function wait(
    share: Share,
    wanted: Pick<Waiting, "promisedBytes" | "writtenBytes">,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    share.waiting = { ...wanted, untilMs: performance.now() + share.waitMs, resolve, reject };
    admit();
    if (!waiters().includes(share)) return;
    timer ??= setInterval(look, LOOK_EVERY_MS);
    const onAbort = (): void => {
      share.waiting = undefined;
      reject(signal.reason);
      admit();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    await promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  return {
    enter(waitMs) {
      if (waiters().length >= MOST_WAITING) {
        const message = `${MOST_WAITING} builds wait for room already; send it again in a while`;
        throw new ServiceError("too_many_requests", message);
      }
      const share: Share = { waitMs, promisedBytes: 0, writtenBytes: 0 };
      shares.add(share);
      return {
        promise: (promisedBytes, signal) =>
          wait(share, { promisedBytes, writtenBytes: share.writtenBytes }, signal),
        async write(bytes, signal) {
          const writtenBytes = share.writtenBytes + bytes;
          const isWithin = writtenBytes <= share.promisedBytes;
          if (isWithin && isWritable(bytes)) {
            share.writtenBytes = writtenBytes;
            return;
          }
          const promisedBytes = isWithin
            ? share.promisedBytes
            : Math.max(writtenBytes, share.promisedBytes + STEP_BYTES);
          await wait(share, { promisedBytes, writtenBytes }, signal);
        },
        settle(bytes) {
          share.promisedBytes = bytes;
          share.writtenBytes = bytes;
          admit();
        },
        [Symbol.dispose]() {
          shares.delete(share);
          admit();
        },
      };
    },
  };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / MIB);
}
