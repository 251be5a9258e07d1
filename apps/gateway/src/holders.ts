/** Which replicas hold an image: the inventories the other way round. Images go by the numbers of their names. */
export interface Holders {
  of(image: number): readonly string[];
  add(image: number, replicaId: string): void;
  remove(image: number, replicaId: string): void;
}

const NOBODY: readonly string[] = [];

export function createHolders(): Holders {
  const byImage: (readonly string[])[] = [];
  // Most images are on one replica: all lists of one replica alone are the same list.
  const alone = new Map<string, readonly string[]>();

  function onlyBy(replicaId: string): readonly string[] {
    let list = alone.get(replicaId);
    if (!list) alone.set(replicaId, (list = [replicaId]));
    return list;
  }

  const of = (image: number): readonly string[] => byImage[image] ?? NOBODY;

  return {
    of,
    add(image, replicaId) {
      const holders = of(image);
      // Numbers are given out one after another, so it has no gaps of any size.
      while (byImage.length < image) byImage.push(NOBODY);
      if (holders.length === 0) byImage[image] = onlyBy(replicaId);
      else if (!holders.includes(replicaId)) byImage[image] = [...holders, replicaId];
    },
    remove(image, replicaId) {
      if (image >= byImage.length) return;
      const [left, ...others] = of(image).filter((id) => id !== replicaId);
      if (left === undefined) byImage[image] = NOBODY;
      else byImage[image] = others.length > 0 ? [left, ...others] : onlyBy(left);
    },
  };
}
