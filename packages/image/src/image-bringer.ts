import { ServiceError } from "@remote-runtime/protocol";
import { canonicalReference } from "./canonical-reference.ts";
import { digestsIn, type MarkDigests } from "./digest-mark.ts";
import type { ImageEngine, OnPullProgress, PulledElsewhere, PullRequest } from "./image-engine.ts";
import { imageSources, type ImageSource } from "./image-sources.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import { mirrored, originsOf, type Mirror } from "./mirror.ts";
import { RegistryAwayError } from "./registry-away-error.ts";
import type { RegistryPauses } from "./registry-pauses.ts";
import type { SharedPulls } from "./shared-pulls.ts";
import type { CopyOutcome, Siblings } from "./siblings.ts";

export type ImageBringerOptions = {
  engine: ImageEngine & MirrorEngine;
  siblings: Pick<Siblings, "copy">;
  shared: SharedPulls;
  /** Where this deployment pushes its builds. */
  folder: string | undefined;
  mirrors: readonly Mirror[];
  markDigests: MarkDigests;
  pauses: RegistryPauses;
  log: { warn(details: object, message: string): void };
};

/**
 * The engine, with a `pull` that tries every source of the image in turn (`imageSources`): when none gives it, the error is
 * the one of the image's own registry, or RegistryAwayError when that does not have it and another replica may give it
 * later. With `mayWait` it says so where another engine asks that registry. What came from a mirror by its digest is found
 * under its own name as well.
 */
export function createImageBringer(options: ImageBringerOptions): ImageEngine {
  const { engine, siblings, shared, folder, mirrors, markDigests, pauses, log } = options;

  async function bring(
    source: ImageSource,
    reference: string,
    onProgress: OnPullProgress,
    signal: AbortSignal,
    mayWait: boolean,
  ): Promise<CopyOutcome | PulledElsewhere> {
    switch (source.kind) {
      case "registry": {
        const pull = async (): Promise<void> =>
          void (await pauses.ask(reference, () => engine.pull(reference, onProgress, signal)));
        const elsewhere = source.isShared
          ? await shared.run(reference, mayWait, pull)
          : await pull();
        return elsewhere ?? "copied";
      }
      case "siblings":
        return siblings.copy(reference, onProgress, signal);
      case "mirror":
        await pullFrom(source.reference, reference, onProgress, signal);
        return "copied";
    }
  }

  async function pullFrom(
    mirror: string,
    reference: string,
    onProgress: OnPullProgress,
    signal: AbortSignal,
  ): Promise<void> {
    // Somebody else may want it by that name.
    const wasHeld = (await engine.image(mirror)) !== undefined;
    const host = mirror.slice(0, mirror.indexOf("/"));
    const says: OnPullProgress = (progress, bytes) =>
      onProgress(`from ${host}: ${progress}`, bytes);
    await pauses.ask(mirror, () => engine.pull(mirror, says, signal));
    // Under a digest an engine gives no other name: then the mirror's stays, and is looked for as well.
    if (mirror.includes("@")) return;
    await engine.tag(mirror, canonicalReference(reference));
    // They go with the mirror's name.
    await markDigests(reference, digestsIn((await engine.image(mirror))?.references ?? []));
    if (!wasHeld) await engine.untag(mirror);
  }

  return {
    async image(reference) {
      const image = await engine.image(reference);
      if (image || !reference.includes("@")) return image;
      for (const other of mirrored(canonicalReference(reference), mirrors)) {
        const found = await engine.image(other);
        if (found) return found;
      }
      return undefined;
    },

    async images() {
      const images = await engine.images();
      if (mirrors.length === 0) return images;
      return images.map((image) => {
        const digests = image.references.filter((reference) => reference.includes("@"));
        const own = digests.flatMap((reference) => originsOf(reference, mirrors));
        return own.length === 0 ? image : { ...image, references: [...image.references, ...own] };
      });
    },

    async pull(
      reference,
      onProgress,
      signal,
      { fresh = false, mayWait = false }: PullRequest = {},
    ) {
      let own: unknown;
      let isBusy = false;
      for (const source of imageSources(canonicalReference(reference), {
        folder,
        mirrors,
        fresh,
      })) {
        try {
          const outcome = await bring(source, reference, onProgress, signal, mayWait);
          if (outcome === "copied") return undefined;
          if (typeof outcome === "object") return outcome;
          isBusy ||= outcome === "busy";
        } catch (error) {
          if (signal.aborted) throw error;
          if (source.kind === "registry") own = error;
          else log.warn({ err: error, image: reference, ...source }, "the next source is tried");
        }
      }
      own ??= new ServiceError("not_found", `pull of ${reference}: nobody has it`);
      if (!isBusy || !(own instanceof ServiceError) || own.code !== "not_found") throw own;
      const busy = "replicas that may have it are busy or do not answer";
      throw new RegistryAwayError(`${own.message} (${busy})`, { cause: own });
    },
  };
}
