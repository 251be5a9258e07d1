import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "@remote-runtime/testing";
import { mostSelfTime } from "./cpu-profile.ts";
import { ensureTools } from "./ensure-tools.ts";
import { imageName } from "./fleet/image-name.ts";
import { spawnFleet } from "./fleet/spawn-fleet.ts";
import { type ServerProcess, startGatewayProcess, startServerProcess } from "./gateway-process.ts";
import { startHaproxy } from "./haproxy.ts";
import { interruption } from "./interruption.ts";
import { cpuSeconds } from "./process-usage.ts";
import { judged } from "./judged.ts";
import { conditions, report, type Row } from "./report.ts";
import { median, rounded } from "./statistics.ts";
import { runWrk } from "./wrk.ts";

const REPLICAS = 8;
const IMAGES_EACH = 250;
const CONNECTIONS = 64;
const SECONDS = 8;
const WARM_UP_SECONDS = 3;
const ROUNDS = 5;
/** What is measured has the first core to itself, all else is on the second one. */
const [CORE, OTHER_CORE] = [0, 1];
const KEY = "bench-key";
const HOTTEST = 20;
const GATEWAY = "gateway";
const CONSTANT = "the stack's constant";
const HAPROXY = "HAProxy";

/** What is asked for, one path a line, and until when. */
type Asking = { pathsFile: string; signal: AbortSignal };
type Sample = { perSecond: number; p50Ms: number; p99Ms: number; cpuMicroseconds: number };

/** How many GET /image_exists a gateway answers on one core, against a constant and against a balancer. */
async function main(): Promise<void> {
  if (availableParallelism() < 2) throw new Error("this needs two cores");
  await ensureTools(["wrk", "haproxy"]);
  const began = conditions();
  const signal = interruption();
  const folder = await mkdtemp(join(tmpdir(), "remote-runtime-bench-"));
  try {
    const paths = Array.from({ length: REPLICAS * IMAGES_EACH }, (_, i) => pathOf(imageName(i)));
    const pathsFile = join(folder, "paths.txt");
    await writeFile(pathsFile, `${paths.join("\n")}\n`);
    await using redis = await startRedis();
    const options = { redisUrl: redis.url, key: KEY };
    await using _fleet = await spawnFleet({
      ...options,
      replicas: REPLICAS,
      imagesEach: IMAGES_EACH,
      core: OTHER_CORE,
    });
    const samples = await measureByTurns(options, { pathsFile, signal });
    await report("image-exists", {
      rows: { ...rowsOf(samples), ...goalsOf(samples) },
      conditions: { ...began, REPLICAS, names: paths.length, CONNECTIONS, SECONDS, ROUNDS },
      details: samples,
    });
    const profileFolder = process.env["BENCH_PROFILE"];
    if (profileFolder) console.table(await hottest(options, { pathsFile, signal }, profileFolder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureByTurns(
  options: { redisUrl: string; key: string },
  asking: Asking,
): Promise<Record<string, Sample[]>> {
  await using gateway = await startGatewayProcess({ ...options, core: CORE });
  const answer = await exampleAnswer(gateway.url, asking.pathsFile);
  await using constant = await startServerProcess("bench/src/constant-server.ts", {
    core: CORE,
    env: { BENCH_ANSWER: answer },
  });
  await using haproxy = await startHaproxy({
    answer,
    backends: REPLICAS,
    core: CORE,
    backendCore: OTHER_CORE,
  });
  const servers = { [GATEWAY]: gateway, [CONSTANT]: constant, [HAPROXY]: haproxy };
  for (const server of Object.values(servers)) await load(server, asking, WARM_UP_SECONDS);
  const samples: Record<string, Sample[]> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, server] of Object.entries(servers)) {
      (samples[name] ??= []).push(await load(server, asking, SECONDS));
    }
  }
  return samples;
}

async function load({ url, pid }: ServerProcess, asking: Asking, seconds: number): Promise<Sample> {
  const before = await cpuSeconds(pid);
  const {
    requests,
    seconds: took,
    p50Ms,
    p99Ms,
  } = await runWrk({
    url,
    key: KEY,
    ...asking,
    connections: CONNECTIONS,
    seconds,
    core: OTHER_CORE,
  });
  const cpuMicroseconds = (1e6 * ((await cpuSeconds(pid)) - before)) / requests;
  return { perSecond: requests / took, p50Ms, p99Ms, cpuMicroseconds };
}

/** What the gateway says, which the others say after it. Throws when it does not come from its memory. */
async function exampleAnswer(url: string, pathsFile: string): Promise<string> {
  const [path = ""] = (await readFile(pathsFile, "utf8")).split("\n");
  const answer = await fetch(url + path, { headers: { "X-API-Key": KEY } });
  const text = await answer.text();
  if (!text.includes('"exists":true')) throw new Error(`the gateway says ${answer.status} ${text}`);
  return text;
}

function middleOf(samples: Record<string, Sample[]>, name: string, figure: keyof Sample): number {
  return median((samples[name] ?? []).map((sample) => sample[figure]));
}

/** Of the medians. */
function goalsOf(samples: Record<string, Sample[]>): Record<string, Row> {
  const of = (name: string): number => middleOf(samples, name, "perSecond");
  const p99Ms = middleOf(samples, GATEWAY, "p99Ms");
  return {
    "gateway, answers/s": judged(of(GATEWAY), { atLeast: 20_000 }),
    "gateway ÷ constant": judged(of(GATEWAY) / of(CONSTANT), { atLeast: 0.8 }),
    "gateway ÷ HAProxy": judged(of(GATEWAY) / of(HAPROXY), { atLeast: 0.7 }),
    "gateway, p99, ms": judged(p99Ms, { atMost: 5 }),
  };
}

function rowsOf(samples: Record<string, Sample[]>): Record<string, Row> {
  const middle = (name: string, figure: keyof Sample): number => middleOf(samples, name, figure);
  return Object.fromEntries(
    Object.keys(samples).map((name): [string, Row] => [
      name,
      {
        "answers/s": rounded(middle(name, "perSecond")),
        "gateway's ÷ its": rounded(middle(GATEWAY, "perSecond") / middle(name, "perSecond")),
        "p50, ms": rounded(middle(name, "p50Ms")),
        "p99, ms": rounded(middle(name, "p99Ms")),
        "its CPU, µs each": rounded(middle(name, "cpuMicroseconds")),
      },
    ]),
  );
}

/** Where a gateway's time goes; measured apart, as the profiler takes time too. */
async function hottest(
  options: { redisUrl: string; key: string },
  asking: Asking,
  profileFolder: string,
): Promise<{ place: string; percent: number }[]> {
  const nodeOptions = ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
  const gateway = await startGatewayProcess({ ...options, core: CORE, nodeOptions });
  try {
    await load(gateway, asking, SECONDS);
  } finally {
    await gateway.stop();
  }
  return mostSelfTime(profileFolder, HOTTEST);
}

function pathOf(image: string): string {
  return `/image_exists?image=${encodeURIComponent(image)}`;
}

await main();
