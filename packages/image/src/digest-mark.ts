import { MARK_REPOSITORY } from "./canonical-reference.ts";
import type { MirrorEngine } from "./mirror-engine.ts";

/** Says of an image what digests (`sha256:…`) registries know it by, where its names on the engine do not. */
export type MarkDigests = (reference: string, digests: readonly string[]) => Promise<void>;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const DIGEST_TAG = /^sha256-[0-9a-f]{64}$/;

/** Keeps digests as tags beside the others that say what was brought (decisions/0017): engines name nothing by a digest that it did not come by. */
export function createDigestMarks({
  engine,
  log,
}: {
  engine: Pick<MirrorEngine, "tag">;
  log: { warn(details: object, message: string): void };
}): MarkDigests {
  return async function markDigests(reference, digests) {
    for (const digest of digests.filter((each) => DIGEST.test(each))) {
      try {
        await engine.tag(reference, `${MARK_REPOSITORY}:${digest.replace(":", "-")}`);
      } catch (error) {
        const consequence = "pins by its digest do not protect it here";
        log.warn({ err: error, image: reference }, `an image could not be marked: ${consequence}`);
      }
    }
  };
}

/** The digests in names like `name@sha256:…`. */
export function digestsIn(references: readonly string[]): string[] {
  const found = references.map((name) => name.slice(name.indexOf("@") + 1));
  return [...new Set(found.filter((digest) => DIGEST.test(digest)))];
}

/** The digest that a tag as above stands for; `undefined` of any other. */
export function digestOfMark(mark: string): string | undefined {
  const tag = mark.slice(MARK_REPOSITORY.length + 1);
  return DIGEST_TAG.test(tag) ? tag.replace("-", ":") : undefined;
}
