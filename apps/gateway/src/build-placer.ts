import { canonicalReference } from "@remote-runtime/image";
import type { Registry, ReplicaInfo } from "@remote-runtime/registry";
import type { ReceivedBuild } from "@remote-runtime/server";
import { BUILD_GROUP } from "./build-group.ts";
import type { Directory } from "./directory.ts";
import type { Placer, PlaceOptions } from "./placer.ts";

/** Chooses where an image is built. Throws `unavailable` when no replica is left. */
export type BuildPlacer = (
  build: Pick<ReceivedBuild, "references" | "context">,
  options: PlaceOptions,
) => Promise<ReplicaInfo>;

/** Clients wait so long for a build. */
const AGREED_MS = 30 * 60_000;
/** Others may agree on something else meanwhile. */
const MOST_TRIES = 3;

/**
 * A build goes where a start of its image would go. What a client builds in steps is on no registry: an image that begins
 * from one of the same repository goes where that one is. The same content under the same name goes to one replica for half
 * an hour, at all gateways and however loads change, as replicas build once what they are given twice.
 */
export function createBuildPlacer({
  directory,
  placer,
  registry,
}: {
  directory: Pick<Directory, "snapshot">;
  placer: Pick<Placer, "preview">;
  registry: Pick<Registry, "shareGroup">;
}): BuildPlacer {
  const holds = ({ id }: ReplicaInfo, image: string): boolean =>
    directory.snapshot().images(id).has(image);

  function wish(name: string, baseImages: readonly string[], options: PlaceOptions): ReplicaInfo {
    const replica = placer.preview(name, options);
    const steps = baseImages.filter(
      (base) => repositoryOf(base) === repositoryOf(name) && !holds(replica, base),
    );
    for (const base of steps) {
      const holder = placer.preview(base, options);
      if (holds(holder, base)) return holder;
    }
    return replica;
  }

  /** Without the registry everyone does as they think. */
  async function agreed(
    group: string,
    wished: ReplicaInfo,
    { except }: PlaceOptions,
  ): Promise<ReplicaInfo> {
    let replacing: string | undefined;
    try {
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const id = await registry.shareGroup(group, wished.id, AGREED_MS, replacing);
        const replica = directory.snapshot().replicas.get(id);
        if (replica && !replica.draining && !except?.has(id)) return replica;
        replacing = id;
      }
    } catch {
      return wished;
    }
    return wished;
  }

  return async function placeBuild({ references, context }, options) {
    const name = canonicalReference(references[0] ?? "");
    const wished = wish(name, context.baseImages, options);
    return agreed(`${BUILD_GROUP}${name} ${context.digest}`, wished, options);
  };
}

function repositoryOf(canonical: string): string {
  return canonical.replace(/(@.*|:[^/]*)$/, "");
}
