import { canonicalReference } from "@remote-runtime/image";
import { bearerOf } from "@remote-runtime/protocol";
import type { Keyring, Metrics, QuickAnswers, QuickHeaders } from "@remote-runtime/server";
import type { ImageFinder } from "./image-finder.ts";

const START = "/image_exists?image=";
/** What would not be one plain value: more parameters, or characters that are read in more than one way. */
const UNUSUAL = /[&;#\s]/;
const MAX_CHARACTERS = 512;
const MOST_KEPT = 5_000;

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
  const imageOf = createImageReader();

  return {
    start: START,
    observe: metrics.observerOf({ route: "GET /image_exists", status: 200 }),
    admit(headers) {
      if (!isAllowed(headers, keyring)) return undefined;
      // The connection is plain HTTP; a proxy in front of it tells of another protocol by its header.
      const request = { url: "http://localhost/", headers };
      return function read(target) {
        const image = imageOf(target);
        const answer = image === undefined ? undefined : finder.known(image, request);
        return answer && JSON.stringify(answer);
      };
    },
  };
}

/** Reads the canonical reference from a URL, and keeps the latest ones: a few thousand are asked for again and again. */
function createImageReader(): (url: string) => string | undefined {
  let latest = new Map<string, string>();
  let earlier = latest;
  return function imageOf(url) {
    const known = latest.get(url) ?? earlier.get(url);
    const image = known ?? readImage(url.slice(START.length));
    if (image === undefined || latest.has(url)) return image;
    if (latest.size === MOST_KEPT) [earlier, latest] = [latest, new Map()];
    latest.set(url, image);
    return image;
  };
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
