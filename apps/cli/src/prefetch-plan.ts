import type { Client } from "@remote-runtime/client";
import {
  MOST_PREFETCH_IMAGES,
  planFits,
  type PrefetchPlan,
  type UnknownSizes,
} from "@remote-runtime/protocol";
import { formatBytes } from "./bytes.ts";
import { plural } from "./plural.ts";
import { printable, printLine } from "./print.ts";
import { printTable, type Column } from "./table.ts";
import type { Out, Terminal } from "./terminal.ts";

const TIMEOUT_MS = 30_000;
/** So long sizes are waited for, for each part of a list; servers go on with the next command. */
const PATIENCE_MS = 60_000;
/** Servers wait for sizes themselves before they answer. */
const PAUSE_MS = 200;

const COLUMNS: readonly Column[] = [
  { title: "REPLICA", shrinks: "first" },
  { title: "IMAGES", align: "right" },
  { title: "THERE", align: "right" },
  { title: "TO PULL", align: "right" },
  { title: "COMPRESSED", align: "right" },
  { title: "UNPACKED", align: "right" },
  { title: "SIZE UNKNOWN", align: "right" },
  { title: "ROOM", align: "right" },
  { title: "FITS" },
];

export type PlanWanted = { images: readonly string[]; copies: number };
type Asking = {
  client: Client;
  terminal: Pick<Terminal, "signal" | "now" | "sleep">;
  /** Of how many images the size is being asked for, now and then until there are none. */
  onAsking: (images: number) => void;
};

/** Asks what a prefetch would do, for a list of any length. */
export async function askPrefetchPlan(
  { images, copies }: PlanWanted,
  asking: Asking,
): Promise<PrefetchPlan[]> {
  const plans = new Map<string, PrefetchPlan>();
  for (let from = 0; from < images.length; from += MOST_PREFETCH_IMAGES) {
    const part = { images: images.slice(from, from + MOST_PREFETCH_IMAGES), copies };
    for (const plan of await untilSized(part, asking)) {
      plans.set(plan.replica_id, sum(plans.get(plan.replica_id), plan));
    }
  }
  const all = [...plans.values()];
  return all.map((plan) => ({ ...plan, fits: planFits(plan, all) }));
}

async function untilSized(
  body: { images: string[]; copies: number },
  { client, terminal, onAsking }: Asking,
): Promise<PrefetchPlan[]> {
  const { signal, now, sleep } = terminal;
  const until = now() + PATIENCE_MS;
  for (;;) {
    const answer = await client.call("planPrefetch", { body }, { signal, timeoutMs: TIMEOUT_MS });
    const asked = answer.replicas.reduce((all, { asking }) => all + asking, 0);
    onAsking(asked);
    if (asked === 0 || now() >= until) return answer.replicas;
    await sleep(PAUSE_MS, signal);
  }
}

function sum(one: PrefetchPlan | undefined, other: PrefetchPlan): PrefetchPlan {
  if (!one) return other;
  return {
    ...other,
    images: one.images + other.images,
    held: one.held + other.held,
    missing_bytes: one.missing_bytes + other.missing_bytes,
    compressed_bytes: one.compressed_bytes + other.compressed_bytes,
    unknown_sizes: one.unknown_sizes + other.unknown_sizes,
    asking: one.asking + other.asking,
    unknown_reasons: byReason([...one.unknown_reasons, ...other.unknown_reasons]),
  };
}

function byReason(all: readonly UnknownSizes[]): UnknownSizes[] {
  const counts = new Map<string, number>();
  for (const { reason, images } of all) counts.set(reason, (counts.get(reason) ?? 0) + images);
  return Array.from(counts, ([reason, images]) => ({ reason, images }));
}

export function printPrefetchPlan(
  out: Out,
  plans: readonly PrefetchPlan[],
  wanted: PlanWanted,
): void {
  const rows = plans.map((plan) => [
    printable(plan.replica_id),
    String(plan.images),
    String(plan.held),
    String(plan.images - plan.held),
    formatBytes(plan.compressed_bytes),
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
  const compressed = total(({ compressed_bytes: count }) => count);
  const unpacked = total(({ missing_bytes: count }) => count);
  const sizes = [
    ...(compressed > 0 ? [`${formatBytes(compressed)} compressed`] : []),
    ...(unpacked > 0 ? [`${formatBytes(unpacked)} unpacked`] : []),
    ...(unknown > 0 ? [`${unknown} of unknown size`] : []),
  ];
  const copies = wanted.images.length * wanted.copies;
  const short = placed < copies ? `; ${copies - placed} copies have no engine left to go to` : "";
  printLine(out, "");
  printLine(
    out,
    `${plural(placed, "image")} on ${plural(plans.length, "replica")}, ${missing} to pull: ${sizes.join(", ") || formatBytes(0)}${short}`,
  );
  for (const { reason, images } of byReason(plans.flatMap((plan) => plan.unknown_reasons))) {
    printLine(out, `${plural(images, "size")} unknown: ${printable(reason)}`);
  }
  const asking = total(({ asking: count }) => count);
  if (asking > 0) {
    printLine(out, `${plural(asking, "size")} still asked for: the same command goes on with them`);
  }
}
