import { ServiceError } from "@remote-runtime/protocol";
import { canonicalReference } from "./canonical-reference.ts";
import type { ImageEngine } from "./image-engine.ts";
import { imageSources, type ImageSource } from "./image-sources.ts";
import type { MirrorEngine } from "./mirror-engine.ts";
import type { Mirror } from "./mirror.ts";
import type { Siblings } from "./siblings.ts";

export type ImageBringerOptions = {
  engine: Pick<ImageEngine, "pull"> & MirrorEngine;
  siblings: Siblings;
  /** Where this deployment pushes its builds. */
  folder: string | undefined;
  mirrors: readonly Mirror[];
  log: { warn(details: object, message: string): void };
};

/**
 * An engine's `pull` that tries every source of the image in turn (`imageSources`). When none gives it, the error is the
 * one of the image's own registry.
 */
export function createImageBringer(options: ImageBringerOptions): Pick<ImageEngine, "pull"> {
  const { engine, siblings, folder, mirrors, log } = options;

  async function bring(
    source: ImageSource,
    reference: string,
    onProgress: (progress: string) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    switch (source.kind) {
      case "registry":
        await engine.pull(reference, onProgress, signal);
        return true;
      case "siblings":
        return siblings.copy(reference, onProgress, signal);
      case "mirror": {
        const from = source.reference;
        await engine.pull(
          from,
          (progress) => onProgress(`from ${hostOf(from)}: ${progress}`),
          signal,
        );
        // Under a digest an engine gives no other name: then the mirror's stays, and is looked for as well.
        if (!from.includes("@")) await engine.rename(from, canonicalReference(reference));
        return true;
      }
    }
  }

  return {
    async pull(reference, onProgress, signal, fresh = false) {
      let own: unknown;
      for (const source of imageSources(canonicalReference(reference), {
        folder,
        mirrors,
        fresh,
      })) {
        try {
          if (await bring(source, reference, onProgress, signal)) return;
        } catch (error) {
          if (signal.aborted) throw error;
          if (source.kind === "registry") own = error;
          else log.warn({ err: error, image: reference, ...source }, "the next source is tried");
        }
      }
      throw own ?? new ServiceError("not_found", `pull of ${reference}: nobody has it`);
    },
  };
}

function hostOf(reference: string): string {
  return reference.split("/", 1)[0] ?? reference;
}
