import { canonicalReference } from "@remote-runtime/image";
import { bearerOf } from "@remote-runtime/protocol";
import type { Keyring, Metrics, QuickAnswers, QuickHeaders } from "@remote-runtime/server";
import { imageAnswer, type ImageFinder, type KnownImage } from "./image-finder.ts";

const START = "/image_exists?image=";
/** What would not be one plain value: more parameters, or characters that are read in more than one way. */
const UNUSUAL = /[&;#\s]/;
const MAX_CHARACTERS = 512;
const MOST_KEPT = 5_000;

/** What was asked for, and what was last said of it: to put that into words costs as much as to find it. */
type Asked = { readonly image: string; said?: Said };
type Said = { createdAt: number; sizeBytes: number; url: string; text: string };

/**
 * Answers `GET /image_exists` for images that some replica is known to hold: clients ask it before every start. All else,
 * wrong keys and wrong names included, is left to the app, so that there is one place that says no.
 */
export function createQuickImageAnswers({
  keyring,
  finder,
  metrics,
}: {
  keyring: Keyring;
  finder: Pick<ImageFinder, "known">;
  metrics: Metrics;
}): QuickAnswers {
  const askedBy = createTargetReader();

  return {
    start: START,
    observe: metrics.observerOf({ route: "GET /image_exists", status: 200 }),
    admit(headers) {
      if (!isAllowed(headers, keyring)) return undefined;
      // The connection is plain HTTP; a proxy in front of it tells of another protocol by its header.
      const request = { url: "http://localhost/", headers };
      return function read(target) {
        const asked = askedBy(target);
        const known = asked && finder.known(asked.image, request);
        return known && textOf(asked, known);
      };
    },
  };
}

/**
 * What was known is copied, not kept: V8 puts what is made where some of it lived long into the old space from then on, and
 * that would be an object for each question.
 */
function textOf(asked: Asked, known: KnownImage): string {
  const { url } = known;
  const { createdAt, sizeBytes } = known.held;
  const { said } = asked;
  if (said?.createdAt === createdAt && said.sizeBytes === sizeBytes && said.url === url) {
    return said.text;
  }
  const text = JSON.stringify(imageAnswer(known));
  asked.said = { createdAt, sizeBytes, url, text };
  return text;
}

/** Reads the canonical reference from a target, and keeps the latest ones: a few thousand are asked for again and again. */
function createTargetReader(): (target: string) => Asked | undefined {
  let latest = new Map<string, Asked>();
  let earlier = latest;
  return function askedBy(target) {
    const known = latest.get(target);
    if (known) return known;
    const asked = earlier.get(target) ?? readTarget(target);
    if (!asked) return undefined;
    if (latest.size === MOST_KEPT) [earlier, latest] = [latest, new Map()];
    latest.set(target, asked);
    return asked;
  };
}

function readTarget(target: string): Asked | undefined {
  const image = readImage(target.slice(START.length));
  return image === undefined ? undefined : { image };
}

function readImage(text: string): string | undefined {
  if (text === "" || text.length > MAX_CHARACTERS || UNUSUAL.test(text)) return undefined;
  try {
    const image = decodeURIComponent(text.replaceAll("+", " "));
    return image.trim() === image ? canonicalReference(image) : undefined;
  } catch {
    // Broken, or no image: the app says what is wrong.
    return undefined;
  }
}

function isAllowed(headers: QuickHeaders, keyring: Keyring): boolean {
  const apiKey = headers.get("x-api-key");
  return keyring.isKey(apiKey) || keyring.isKey(bearerOf(headers.get("authorization")));
}
