import type { DiskSpace } from "./disk-engine.ts";

/** `brought`: images that servers of ours pulled or built. `any`: others too. `none`: nothing is ever removed. */
export type EvictionScope = "brought" | "any" | "none";

export type DiskPolicy = {
  /** From here on images are given up, … Share of the disk in use, 0 to 1. */
  highShare: number;
  /** … until no more than this is in use. */
  lowShare: number;
  /** Nothing begins on it, or stays on it. A small disk keeps a tenth of itself free instead. */
  reserveBytes: number;
  scope: EvictionScope;
};

const SMALL_DISK_SHARE = 0.1;

export function reserveOf(
  { totalBytes }: DiskSpace,
  { reserveBytes }: Pick<DiskPolicy, "reserveBytes">,
): number {
  return Math.min(reserveBytes, totalBytes * SMALL_DISK_SHARE);
}

/** Bytes that have to come free so that `neededBytes` more can be written beside the reserve; 0: there is room. Pure. */
export function missingFor(neededBytes: number, space: DiskSpace, policy: DiskPolicy): number {
  return Math.max(0, reserveOf(space, policy) + neededBytes - space.freeBytes);
}

/** The same so that less than the high mark is in use then. Pure. */
export function missingBelowHigh(
  neededBytes: number,
  space: DiskSpace,
  policy: DiskPolicy,
): number {
  const roomBytes = space.freeBytes - keptFreeBelowHigh(space, policy);
  return neededBytes < roomBytes ? 0 : neededBytes - roomBytes + 1;
}

/** What is free at the high mark, or the reserve, if that is more. Pure. */
export function keptFreeBelowHigh(space: DiskSpace, policy: DiskPolicy): number {
  return Math.max(space.totalBytes * (1 - policy.highShare), reserveOf(space, policy));
}

/** Bytes that have to come free until no more than the low mark is in use, and the reserve is there. Pure. */
export function aboveLow(space: DiskSpace, policy: DiskPolicy): number {
  const aboveMark = space.totalBytes * (1 - policy.lowShare) - space.freeBytes;
  return Math.max(aboveMark, missingFor(0, space, policy));
}

/** Whether as much is in use as the high mark says, or the reserve is. Pure. */
export function isHigh(space: DiskSpace, policy: DiskPolicy): boolean {
  const { totalBytes, freeBytes } = space;
  return freeBytes <= totalBytes * (1 - policy.highShare) || freeBytes < reserveOf(space, policy);
}
