import { evictionOrder } from "@remote-runtime/placement";

/** The images that one replica keeps. */
export interface Disk {
  has(image: number): boolean;
  /** What is in use stays, until it was released as often; it need not be there yet. */
  use(image: number): void;
  release(image: number): void;
  /** Keeps the image, and makes room where needed. With everything in use the disk holds more than it should. */
  add(image: number): void;
}

export type DiskOptions = {
  /** Once there is more than this, images are given up … */
  diskBytes: number;
  /** … until no more than this share of it is left, as real replicas have a high and a low mark. Default 1: just so that it fits. */
  lowShare?: number;
  imageBytes: readonly number[];
  isHomed: (image: number) => boolean;
  /** Whether the image's latest start went elsewhere. Default never. */
  hasMoved?: (image: number) => boolean;
  /** A use within so many seconds of the last one that was noted is not noted. Default 0: each is. */
  noteEverySeconds?: number;
  /** Seconds of any clock. */
  now: () => number;
  /** What is given up first. Default: as real replicas have it. */
  order?: typeof evictionOrder;
};

/** The image's last use that was noted, by its number and its time. */
type Use = { number: number; seconds: number };

/** Gives up images in the order in which real replicas do. */
export function createDisk({
  diskBytes,
  lowShare = 1,
  imageBytes,
  isHomed,
  hasMoved = () => false,
  noteEverySeconds = 0,
  now,
  order = evictionOrder,
}: DiskOptions): Disk {
  const held = new Map<number, Use>();
  const users = new Map<number, number>();
  const bytesOf = (image: number): number => imageBytes[image] ?? 0;
  let usedBytes = 0;
  let uses = 0;

  function note(image: number): void {
    held.set(image, { number: (uses += 1), seconds: now() });
  }

  function touch(image: number): void {
    const last = held.get(image);
    if (last && now() >= last.seconds + noteEverySeconds) note(image);
  }

  function makeRoom(): void {
    if (usedBytes <= diskBytes) return;
    const unused = [...held]
      .filter(([image]) => !users.has(image))
      .map(([image, { number }]) => {
        return { image, lastUse: number, isHomed: isHomed(image), hasMoved: hasMoved(image) };
      });
    for (const { image } of order(unused)) {
      if (usedBytes <= lowShare * diskBytes) return;
      usedBytes -= bytesOf(image);
      held.delete(image);
    }
  }

  return {
    has: (image) => held.has(image),
    use(image) {
      users.set(image, (users.get(image) ?? 0) + 1);
      touch(image);
    },
    release(image) {
      const left = (users.get(image) ?? 0) - 1;
      if (left > 0) users.set(image, left);
      else users.delete(image);
      touch(image);
    },
    add(image) {
      usedBytes += bytesOf(image);
      note(image);
      makeRoom();
    },
  };
}
