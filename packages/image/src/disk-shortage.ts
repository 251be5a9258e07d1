export type DiskShortage = {
  /** By what does not fit; 0: not known. */
  neededBytes: number;
  freeBytes: number;
  totalBytes: number;
  /** Of what is free so much has to stay so. */
  keptFreeBytes: number;
  /** Images that may go, and build cache. */
  reclaimableBytes: number;
  /** Images that may not. */
  otherBytes: number;
};

/** Why a disk has no room, for people. Pure. */
export function diskShortage(shortage: DiskShortage): string {
  const { neededBytes, freeBytes, totalBytes, keptFreeBytes, reclaimableBytes, otherBytes } =
    shortage;
  const parts = [
    neededBytes > 0
      ? `${gigabytes(neededBytes)} GB are needed`
      : "how much is needed is not known beforehand",
    `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} GB are free`,
    `${gigabytes(keptFreeBytes)} GB have to stay free`,
    `images that go when nobody uses them any more, and build cache, hold ${gigabytes(reclaimableBytes)} GB`,
    `other images ${gigabytes(otherBytes)} GB, what they share counted for each`,
    `everything together ${gigabytes(totalBytes - freeBytes)} GB`,
  ];
  return `the engine's disk is full: ${parts.join(", ")}; EVICT_IMAGES says which images may go, DISK_GB how much all may take`;
}

/** 10⁹ bytes, as makers of disks count. */
function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(bytes < 9.95e9 ? 2 : 0);
}
