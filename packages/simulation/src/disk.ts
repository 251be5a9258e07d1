import { evictionOrder } from "@remote-runtime/placement";

/** The images that one replica keeps. */
export interface Disk {
  has(image: number): boolean;
  /** What is in use stays, until it was released as often; it need not be there yet. */
  use(image: number): void;
  release(image: number): void;
  /** Makes room for the image and keeps it. With everything in use the disk holds more than it should. */
  add(image: number): void;
}

/** Gives up images in the order in which real replicas do (`evictionOrder`). */
export function createDisk({
  diskBytes,
  imageBytes,
  isHomed,
  hasMoved = () => false,
}: {
  diskBytes: number;
  imageBytes: readonly number[];
  isHomed: (image: number) => boolean;
  /** Whether the image's latest start went elsewhere. Default never. */
  hasMoved?: (image: number) => boolean;
}): Disk {
  /** By image, the number of its last use. */
  const held = new Map<number, number>();
  const users = new Map<number, number>();
  const bytesOf = (image: number): number => imageBytes[image] ?? 0;
  let usedBytes = 0;
  let uses = 0;

  function touch(image: number): void {
    if (held.has(image)) held.set(image, (uses += 1));
  }

  function makeRoom(): void {
    if (usedBytes <= diskBytes) return;
    const unused = [...held]
      .filter(([image]) => !users.has(image))
      .map(([image, lastUse]) => {
        return { image, lastUse, isHomed: isHomed(image), hasMoved: hasMoved(image) };
      });
    for (const { image } of evictionOrder(unused)) {
      if (usedBytes <= diskBytes) return;
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
      held.set(image, (uses += 1));
      makeRoom();
    },
  };
}
