import {
  planFits,
  ServiceError,
  type PrefetchPlan,
  type ImageSizes,
  type UnknownSizes,
} from "@remote-runtime/protocol";
import type { ReplicaInfo } from "@remote-runtime/registry";
import type { PrefetchHomes } from "./prefetch-homes.ts";
import type { Snapshot } from "./snapshot.ts";

/** Asks a replica what images weigh in their registries. */
export type AskSizes = (replica: ReplicaInfo, images: readonly string[]) => Promise<ImageSizes>;

const MOST_REASONS = 20;

/**
 * What of each replica's part is there, what the rest weighs as far as anybody knows, and whether its disk takes it. What no
 * engine holds is asked for by the replica that would pull it.
 */
export async function prefetchPlan(
  homes: PrefetchHomes,
  snapshot: Snapshot,
  askSizes: AskSizes,
): Promise<PrefetchPlan[]> {
  const { fleet, replicas, images } = snapshot;

  /** Of any replica that holds it. */
  function sizeOf(image: string): number | undefined {
    for (const id of fleet.holders(image) ?? replicas.keys()) {
      const size = images(id).get(image)?.sizeBytes;
      if (size !== undefined) return size;
    }
    return undefined;
  }

  async function partOf(
    info: ReplicaInfo,
    given: readonly string[],
  ): Promise<Omit<PrefetchPlan, "fits">> {
    const missing = given.filter((image) => fleet.holding(info.id, image) !== "image");
    const nowhere: string[] = [];
    let missingBytes = 0;
    for (const image of missing) {
      const size = sizeOf(image);
      if (size === undefined) nowhere.push(image);
      else missingBytes += size;
    }
    const sizes = await askOrExplain(info, nowhere, askSizes);
    return {
      replica_id: info.id,
      engine_id: info.engineId,
      images: given.length,
      held: given.length - missing.length,
      missing_bytes: missingBytes,
      compressed_bytes: sizes.bytes,
      unknown_sizes: nowhere.length - sizes.known,
      asking: sizes.asking,
      unknown_reasons: mostly(sizes.unknown),
      room_bytes: info.roomBytes ?? null,
    };
  }

  const parts = await Promise.all(
    Array.from(homes, async ([id, given]) => {
      const info = replicas.get(id);
      return info ? [await partOf(info, given)] : [];
    }),
  );
  const all = parts.flat();
  return all
    .map((part) => ({ ...part, fits: planFits(part, all) }))
    .toSorted((one, other) => (one.replica_id < other.replica_id ? -1 : 1));
}

/** A plan is no less true for a size that is missing: why it is missing is part of it. */
async function askOrExplain(
  replica: ReplicaInfo,
  images: readonly string[],
  askSizes: AskSizes,
): Promise<ImageSizes> {
  const none = { known: 0, bytes: 0, asking: 0 };
  if (images.length === 0) return { ...none, unknown: [] };
  try {
    return await askSizes(replica, images);
  } catch (error) {
    const reason = ServiceError.from(error).message;
    return { ...none, unknown: [{ reason, images: images.length }] };
  }
}

/** The commonest reasons, and how many images have others. */
function mostly(reasons: readonly UnknownSizes[]): UnknownSizes[] {
  const sorted = reasons.toSorted((one, other) => other.images - one.images);
  if (sorted.length <= MOST_REASONS) return sorted;
  const others = sorted.slice(MOST_REASONS - 1).reduce((sum, { images }) => sum + images, 0);
  return [...sorted.slice(0, MOST_REASONS - 1), { reason: "other reasons", images: others }];
}
