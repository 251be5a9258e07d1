import type { Client } from "@remote-runtime/client";
import { MOST_PREFETCH_IMAGES, planFits, type PrefetchPlan } from "@remote-runtime/protocol";
import { formatBytes } from "./bytes.ts";
import { plural } from "./plural.ts";
import { printable, printLine } from "./print.ts";
import { printTable, type Column } from "./table.ts";
import type { Out } from "./terminal.ts";

const TIMEOUT_MS = 30_000;

const COLUMNS: readonly Column[] = [
  { title: "REPLICA", shrinks: "first" },
  { title: "IMAGES", align: "right" },
  { title: "THERE", align: "right" },
  { title: "TO PULL", align: "right" },
  { title: "KNOWN SIZE", align: "right" },
  { title: "SIZE UNKNOWN", align: "right" },
  { title: "ROOM", align: "right" },
  { title: "FITS" },
];

/** Asks what a prefetch would do, for a list of any length. */
export async function askPrefetchPlan(
  { images, copies }: { images: readonly string[]; copies: number },
  { client, signal }: { client: Client; signal: AbortSignal },
): Promise<PrefetchPlan[]> {
  const plans = new Map<string, PrefetchPlan>();
  for (let from = 0; from < images.length; from += MOST_PREFETCH_IMAGES) {
    const body = { images: images.slice(from, from + MOST_PREFETCH_IMAGES), copies };
    const answer = await client.call("planPrefetch", { body }, { signal, timeoutMs: TIMEOUT_MS });
    for (const plan of answer.replicas) {
      plans.set(plan.replica_id, sum(plans.get(plan.replica_id), plan));
    }
  }
  const all = [...plans.values()];
  return all.map((plan) => ({ ...plan, fits: planFits(plan, all) }));
}

function sum(one: PrefetchPlan | undefined, other: PrefetchPlan): PrefetchPlan {
  if (!one) return other;
  return {
    ...other,
    images: one.images + other.images,
    held: one.held + other.held,
    missing_bytes: one.missing_bytes + other.missing_bytes,
    unknown_sizes: one.unknown_sizes + other.unknown_sizes,
  };
}

export function printPrefetchPlan(
  out: Out,
  plans: readonly PrefetchPlan[],
  wanted: { images: readonly string[]; copies: number },
): void {
  const rows = plans.map((plan) => [
    printable(plan.replica_id),
    String(plan.images),
    String(plan.held),
    String(plan.images - plan.held),
    formatBytes(plan.missing_bytes),
    String(plan.unknown_sizes),
    plan.room_bytes === null ? "unknown" : formatBytes(plan.room_bytes),
    plan.fits,
  ]);
  printTable(out, COLUMNS, rows);
  const total = (count: (plan: PrefetchPlan) => number): number =>
    plans.reduce((all, plan) => all + count(plan), 0);
  const placed = total(({ images }) => images);
  const missing = placed - total(({ held }) => held);
  const unknown = total(({ unknown_sizes: count }) => count);
  const bytes = formatBytes(total(({ missing_bytes: count }) => count));
  const sizes = unknown === 0 ? bytes : `${bytes} and ${unknown} of unknown size`;
  const copies = wanted.images.length * wanted.copies;
  const short = placed < copies ? `; ${copies - placed} copies have no engine left to go to` : "";
  printLine(out, "");
  printLine(
    out,
    `${plural(placed, "image")} on ${plural(plans.length, "replica")}, ${missing} to pull: ${sizes}${short}`,
  );
}
