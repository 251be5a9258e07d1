import { availableParallelism } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { startRedis } from "@remote-runtime/testing";
import { z } from "zod";
import { mostSelfTime } from "./cpu-profile.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { imageName } from "./fleet/image-name.ts";
import { spawnFleet } from "./fleet/spawn-fleet.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { createGatewayWatch, type Pauses } from "./gateway-watch.ts";
import { createHttp, expectStatus, type Http } from "./http.ts";
import { interruption } from "./interruption.ts";
import { residentBytes } from "./process-usage.ts";
import { judged } from "./judged.ts";
import { conditions, report, type Row } from "./report.ts";
import { median, percentile, rounded } from "./statistics.ts";

const REPLICAS = 100;
const IMAGES_EACH = 5_000;
const RUNTIMES_EACH = 100;
const KEY = "bench-key";
/** The gateway has one core, all else the other. */
const [CORE, OTHER_CORE] = availableParallelism() < 2 ? [undefined, undefined] : [0, 1];
const QUIET_MS = 5_000;
const RESTLESS_MS = 12_000;
const LISTS = 7;
const LISTS_AT_ONCE = 10;
const ONE_LIST = `GET /list of ${REPLICAS * RUNTIMES_EACH}`;
const NEW_IMAGES = 20;
const NEWS_DEADLINE_MS = 60_000;
const NEWS_POLL_MS = 5;
const HOTTEST = 20;

type Asking = { fleet: Fleet; http: Http; signal: AbortSignal };
type Figures = Record<string, Row>;

/** What a fleet of the largest size asks of one gateway: memory, the whole list, pauses, and how soon it knows of an image. */
async function main(): Promise<void> {
  const began = conditions();
  const signal = interruption();
  const profileFolder = process.env["BENCH_PROFILE"];
  await using redis = await startRedis();
  const options = { redisUrl: redis.url, key: KEY };
  console.log(`making ${REPLICAS} replicas`);
  await using fleet = await spawnFleet({
    ...options,
    replicas: REPLICAS,
    imagesEach: IMAGES_EACH,
    runtimesEach: RUNTIMES_EACH,
    core: OTHER_CORE,
  });
  const nodeOptions = profileFolder ? ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`] : [];
  const rows = await measure(fleet, { ...options, nodeOptions, signal });
  await report("scale", {
    rows: { ...rows, ...goalsOf(rows) },
    conditions: { ...began, REPLICAS, IMAGES_EACH, RUNTIMES_EACH, nodeOptions },
  });
  if (profileFolder) console.table(await mostSelfTime(profileFolder, HOTTEST));
}

async function measure(
  fleet: Fleet,
  {
    signal,
    ...options
  }: { redisUrl: string; key: string; nodeOptions: string[]; signal: AbortSignal },
): Promise<Figures> {
  const startedAt = performance.now();
  await using gateway = await startGatewayProcess({ ...options, core: CORE });
  const startMs = performance.now() - startedAt;
  const http = createHttp({ baseUrl: gateway.url }, { "X-API-Key": KEY });
  const watch = createGatewayWatch(http);
  const memory = async (): Promise<Row> => {
    const { now, most } = await residentBytes(gateway.pid);
    return { "memory, MB": rounded(now / 1e6), "at most, MB": rounded(most / 1e6) };
  };
  const asking = { fleet, http, signal };
  const rows: Figures = {};
  /** With the times that the work tells. */
  const row = async (name: string, work: () => Promise<Row | void>): Promise<void> => {
    signal.throwIfAborted();
    let times: Row = {};
    const pauses = await watch.during(async () => void (times = (await work()) ?? {}));
    rows[name] = { ...pauseRow(pauses), ...times, ...(await memory()) };
  };

  try {
    const pause = { "longest pause, ms": rounded(await watch.longestPauseMs()) };
    rows["start-up"] = { ...pause, "max, ms": rounded(startMs), ...(await memory()) };
    await row("heartbeats only", () => wait(QUIET_MS, undefined, { signal }));
    await fleet.setRestless(true);
    await row("steady changes", () => wait(RESTLESS_MS, undefined, { signal }));
    await fleet.setRestless(false);
    await row("a new image", async () => timesRow(await tellOfImages(asking)));
    await row("all inventories anew", async () => timesRow([await republish(asking)]));
    await row(ONE_LIST, async () => timesRow(await listInTurn(http)));
    await row(`${LISTS_AT_ONCE} of them at once`, async () => timesRow(await listAtOnce(http)));
    await row(`${LISTS_AT_ONCE} that are not read`, () => listUnread(gateway.url, signal));
  } finally {
    http.close();
  }
  return rows;
}

async function listInTurn(http: Http): Promise<number[]> {
  const took: number[] = [];
  for (let turn = 0; turn < LISTS; turn += 1) took.push(await listAll(http));
  return took;
}

function listAtOnce(http: Http): Promise<number[]> {
  return Promise.all(Array.from({ length: LISTS_AT_ONCE }, () => listAll(http)));
}

/** Milliseconds. Throws when a runtime is missing. */
async function listAll(http: Http): Promise<number> {
  const began = performance.now();
  const answer = await http.send("GET", "/list");
  const tookMs = performance.now() - began;
  const text = expectStatus("GET /list", answer, [200]);
  const { total, runtimes } = z
    .object({ total: z.number(), runtimes: z.array(z.object({ runtime_id: z.string() })) })
    .parse(JSON.parse(text));
  const ids = new Set(runtimes.map(({ runtime_id: id }) => id));
  if (total !== REPLICAS * RUNTIMES_EACH || ids.size !== total) {
    throw new Error(`/list has ${ids.size} runtimes of ${total}`);
  }
  return tookMs;
}

/** Clients that ask for the list and read nothing of it for a while. */
async function listUnread(url: string, signal: AbortSignal): Promise<void> {
  const leaving = new AbortController();
  const asked = Array.from({ length: LISTS_AT_ONCE }, () =>
    fetch(`${url}/list`, { headers: { "X-API-Key": KEY }, signal: leaving.signal }),
  );
  try {
    await Promise.all(asked);
    await wait(QUIET_MS, undefined, { signal });
  } finally {
    leaving.abort();
    await Promise.allSettled(asked);
  }
}

/** Milliseconds from a replica's word to the gateway's answer, one image after another. */
async function tellOfImages(asking: Asking): Promise<number[]> {
  const took: number[] = [];
  for (let turn = 0; turn < NEW_IMAGES; turn += 1) {
    const image = imageName(turn, 2_000_000);
    const began = performance.now();
    await asking.fleet.changeInventory((turn * 37) % REPLICAS, { added: [image] });
    await untilKnown(asking, image);
    took.push(performance.now() - began);
  }
  return took;
}

/** Milliseconds from the first word until the gateway knows an image of each replica. */
async function republish(asking: Asking): Promise<number> {
  const began = performance.now();
  await asking.fleet.republish(1);
  for (let replica = 0; replica < REPLICAS; replica += 1) {
    await untilKnown(asking, imageName((replica + 1) * IMAGES_EACH - 1, 1));
  }
  return performance.now() - began;
}

/** The replicas themselves deny every image, so that it is the gateway's own memory that says yes. */
async function untilKnown({ http, signal }: Asking, image: string): Promise<void> {
  const deadline = performance.now() + NEWS_DEADLINE_MS;
  for (;;) {
    const answer = await http.send("GET", `/image_exists?image=${encodeURIComponent(image)}`);
    const text = expectStatus("GET /image_exists", answer, [200]);
    if (z.object({ exists: z.boolean() }).parse(JSON.parse(text)).exists) return;
    if (performance.now() > deadline) throw new Error(`the gateway does not get to know ${image}`);
    await wait(NEWS_POLL_MS, undefined, { signal });
  }
}

/** Of the snapshot: lists pause it longer. */
const REFRESHING = ["start-up", "heartbeats only", "steady changes", "all inventories anew"];

function goalsOf(rows: Figures): Record<string, Row> {
  const most = (column: string, names: readonly string[]): number =>
    Math.max(...names.map((name) => Number(rows[name]?.[column] ?? 0)));
  return {
    "memory at most, MB": judged(most("at most, MB", Object.keys(rows)), { atMost: 500 }),
    "GET /list max, ms": judged(most("max, ms", [ONE_LIST]), { atMost: 1_000 }),
    "pause of a refresh, ms": judged(most("longest pause, ms", REFRESHING), { atMost: 50 }),
  };
}

function pauseRow({ longestMs, slowestMs, usualMs }: Pauses): Row {
  return {
    "longest pause, ms": rounded(longestMs),
    "/health max, ms": rounded(slowestMs),
    "/health p50, ms": rounded(usualMs),
  };
}

function timesRow(took: readonly number[]): Row {
  return { "p50, ms": rounded(median(took)), "max, ms": rounded(percentile(took, 1)) };
}

await main();
