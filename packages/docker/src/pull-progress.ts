import { z } from "zod";

/** One message of a pull or a push, as the engine streams it. */
export const PullMessage = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z
    .object({ current: z.number().optional(), total: z.number().optional() })
    .nullish(),
  error: z.string().optional(),
});
export type PullMessage = z.infer<typeof PullMessage>;

export interface PullProgress {
  /** Takes a message in; returns all that is known as one line, e.g. `3/7 layers, 120/350 MB, 24 MB/s`. */
  add(message: PullMessage): string;
  /** How much has come, or gone, so far. */
  bytes(): number;
}

type Layer = { done: boolean; bytes: number; totalBytes: number; extracting: boolean };

/** The rate is that of at least this long a time, as layers come in bursts. */
const RATE_WINDOW_MS = 2_000;

/** Adds up what the engine says of each layer. `now`: milliseconds, of any clock. */
export function createPullProgress(now: () => number): PullProgress {
  const layers = new Map<string, Layer>();
  let window = { from: now(), bytes: 0 };
  let bytesPerSecond = 0;
  let opening = "asking the registry";

  const bytesOf = (all: Iterable<Layer>): number =>
    [...all].reduce((total, layer) => total + layer.bytes, 0);

  return {
    bytes: () => bytesOf(layers.values()),
    add({ id, status = "", progressDetail }) {
      if (id !== undefined && isLayer(status)) {
        const layer = layers.get(id) ?? { done: false, bytes: 0, totalBytes: 0, extracting: false };
        layers.set(id, next(layer, status, progressDetail));
      } else if (layers.size === 0 && status !== "") {
        opening = status;
      }
      const sum = [...layers.values()];
      const bytes = bytesOf(sum);
      const elapsedMs = now() - window.from;
      if (elapsedMs >= RATE_WINDOW_MS) {
        bytesPerSecond = ((bytes - window.bytes) * 1000) / elapsedMs;
        window = { from: now(), bytes };
      }
      return sum.length === 0 ? opening : line(sum, bytes, bytesPerSecond);
    },
  };
}

/** Messages that carry an id but speak of no layer begin a pull: `Pulling from library/node`, with the tag as id. */
function isLayer(status: string): boolean {
  return /^(Pulling fs layer|Waiting|Downloading|Verifying|Download complete|Extracting|Pull complete|Already exists|Retrying|Preparing|Pushing|Pushed|Layer already exists|Mounted from)/.test(
    status,
  );
}

function next(layer: Layer, status: string, detail: PullMessage["progressDetail"]): Layer {
  switch (status) {
    case "Downloading":
    case "Pushing": {
      const totalBytes = detail?.total ?? layer.totalBytes;
      const bytes = detail?.current ?? layer.bytes;
      // A push counts the headers of its archive too, and not all layers say how long they are.
      return { ...layer, bytes, totalBytes: Math.max(bytes, totalBytes) };
    }
    case "Verifying Checksum":
    case "Download complete":
      return { ...layer, bytes: layer.totalBytes };
    case "Extracting":
      return { ...layer, bytes: layer.totalBytes, extracting: true };
    case "Pull complete":
    case "Already exists":
    case "Pushed":
    case "Layer already exists":
      return { ...layer, bytes: layer.totalBytes, extracting: false, done: true };
    default:
      return status.startsWith("Mounted from") ? { ...layer, done: true } : layer;
  }
}

function line(layers: Layer[], bytes: number, bytesPerSecond: number): string {
  const done = layers.filter((layer) => layer.done).length;
  const totalBytes = layers.reduce((total, layer) => total + layer.totalBytes, 0);
  const parts = [`${done}/${layers.length} layers`];
  if (totalBytes > 0) parts.push(`${megabytes(bytes)}/${megabytes(totalBytes)} MB`);
  if (bytes < totalBytes) {
    if (bytesPerSecond > 0) parts.push(`${megabytes(bytesPerSecond)} MB/s`);
  } else if (layers.some(({ extracting }) => extracting)) {
    parts.push("extracting");
  }
  return parts.join(", ");
}

/** 10⁶ bytes, as registries count; a digit after the point below 10. */
function megabytes(bytes: number): string {
  const value = bytes / 1_000_000;
  return value < 9.95 && value > 0 ? value.toFixed(1) : value.toFixed(0);
}
