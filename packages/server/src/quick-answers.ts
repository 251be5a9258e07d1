import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * Answers GET requests at once, from memory, where it can: what is asked by the ten thousand is not worth the app's way.
 * What it leaves alone goes the usual way, so it never answers with an error.
 */
export interface QuickAnswers {
  /** What the target of a request begins with that may be answered, e.g. `/items?id=`. Others are not asked about. */
  readonly start: string;
  /**
   * Who asks, as far as the headers tell; undefined for somebody who is not to be answered. For other requests with the same
   * headers its result may be used again.
   */
  admit(headers: QuickHeaders): QuickReader | undefined;
  /** Told of each answer how long it took, in seconds. */
  observe(seconds: number): void;
}

/** The JSON that a target is answered with by 200, or undefined. */
export type QuickReader = (target: string) => string | undefined;

/** A name that came twice is as `node:http` joins it. */
export type QuickHeaders = Pick<Headers, "get">;

/** Answers a request that `node:http` has read. Returns whether it did. */
export function answerQuickly(
  quick: QuickAnswers,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { method, url = "", headers } = request;
  if (method !== "GET" || !url.startsWith(quick.start) || headers.expect !== undefined)
    return false;
  const startedAt = performance.now();
  const body = quick.admit(coatOf(request))?.(url);
  if (body === undefined) return false;
  const length = String(Buffer.byteLength(body));
  // A list and a text, so that Node joins head and body to one write: a quarter of the time of it all.
  response.writeHead(200, ["Content-Type", "application/json", "Content-Length", length]);
  response.end(body);
  quick.observe((performance.now() - startedAt) / 1000);
  return true;
}

function coatOf({ headers }: IncomingMessage): QuickHeaders {
  return {
    get(name) {
      const value = headers[name.toLowerCase()];
      return typeof value === "string" ? value : null;
    },
  };
}
