import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import {
  ensureStubImage,
  postLargeBuild,
  pruneBuildCache,
  watchMemory,
} from "@remote-runtime/testing";
import { z } from "zod";
import type { BenchServer } from "./bench-server.ts";
import { judged } from "./judged.ts";
import { inLanes } from "./lanes.ts";
import { conditions, report } from "./report.ts";
import { median, rounded } from "./statistics.ts";
import { withBenchServer } from "./with-bench-server.ts";

const COUNT = 32;
const AT_ONCE = 4;
const ROUNDS = 7;
const UPLOADS = 3;
/** Clients ask every 30 s; here the answer is to cost as little time as it can. */
const POLL_MS = 100;
const FILE_BYTES = 256 * 1024;
const UPLOAD_BYTES = 200_000_000;
const MOST_GROWTH_BYTES = 30_000_000;
const LEAST_RATIO = 0.95;

const run = promisify(execFile);
const Accepted = z.object({ build_id: z.string() });
const Status = z.object({ status: z.string(), error: z.string() });

/** Images to build that nobody has built before, all from one base. */
type Contexts = AsyncDisposable & { images: readonly { name: string; folder: string }[] };

/**
 * Builds that share a base: through the server and by `docker build`, by turns, the same number at once. And what the
 * server's memory grows by while a large context is uploaded.
 */
async function main(): Promise<void> {
  const began = conditions();
  const base = await ensureStubImage({ log: console.log });
  const rounds: { server: number; byHand: number }[] = [];
  const growths: number[] = [];
  const work = async (server: BenchServer, signal: AbortSignal): Promise<void> => {
    // What only the first build costs is nobody's.
    await timed({ base, count: AT_ONCE }, (contexts) => buildHere(contexts, server, signal));
    await timed({ base, count: AT_ONCE }, (contexts) => buildByHand(contexts, signal));
    for (let round = 1; round <= ROUNDS; round += 1) {
      const wanted = { base, count: COUNT };
      const here = COUNT / (await timed(wanted, (all) => buildHere(all, server, signal)));
      const byHand = COUNT / (await timed(wanted, (all) => buildByHand(all, signal)));
      rounds.push({ server: here, byHand });
      console.log(
        `round ${round}: server ${rounded(here)} builds/s, docker build ${rounded(byHand)} builds/s`,
      );
    }
    for (let upload = 1; upload <= UPLOADS; upload += 1) {
      growths.push(await growthByUpload(server, signal));
    }
  };
  await withBenchServer(work, { MAX_BUILDS: String(AT_ONCE) });
  const ratio = median(rounds.map(({ server, byHand }) => server / byHand));
  const growth = Math.max(...growths);
  const rows = {
    [`${COUNT} builds, ${AT_ONCE} at once`]: {
      "server, builds/s": rounded(median(rounds.map(({ server }) => server))),
      "docker build, builds/s": rounded(median(rounds.map(({ byHand }) => byHand))),
      ratio: rounded(ratio),
      ...judged(ratio, { atLeast: LEAST_RATIO }),
    },
    [`upload of ${UPLOAD_BYTES / 1e6} MB, the most of ${UPLOADS}`]: {
      "server's memory grew by, MB": rounded(growth / 1e6),
      ...judged(growth / 1e6, { atMost: MOST_GROWTH_BYTES / 1e6 }),
    },
  };
  await report("build", { rows, conditions: began, details: { rounds, growths } });
}

/** Bytes, at the height of the upload and of its build. */
async function growthByUpload(server: BenchServer, signal: AbortSignal): Promise<number> {
  const target = `openhands-bench/upload-${randomBytes(4).toString("hex")}:1`;
  const since = new Date(Date.now() - 1000);
  const watch = await watchMemory(server.url);
  let growth: number;
  try {
    const sent = await postLargeBuild(server, { target, bytes: UPLOAD_BYTES });
    if (sent.status !== 202) throw new Error(`POST /build: status ${sent.status}: ${sent.body}`);
    await untilBuilt(server, Accepted.parse(JSON.parse(sent.body)).build_id, signal);
  } finally {
    growth = await watch.end();
    await run("docker", ["rmi", "--force", target]);
    await pruneBuildCache(target, since);
  }
  return growth;
}

async function timed(
  wanted: { base: string; count: number },
  work: (images: Contexts["images"]) => Promise<void>,
): Promise<number> {
  await using contexts = await makeContexts(wanted);
  const began = performance.now();
  await work(contexts.images);
  return (performance.now() - began) / 1000;
}

async function makeContexts({ base, count }: { base: string; count: number }): Promise<Contexts> {
  const root = await mkdtemp(join(tmpdir(), "remote-runtime-bench-build-"));
  const marker = `build-${randomBytes(4).toString("hex")}`;
  const prefix = `openhands-bench/${marker}`;
  const since = new Date(Date.now() - 1000);
  const images = Array.from({ length: count }, (_, index) => {
    return { name: `${prefix}:${index}`, folder: join(root, String(index)) };
  });
  for (const { folder } of images) {
    await mkdir(folder);
    await writeFile(
      join(folder, "Dockerfile"),
      `FROM ${base}\nCOPY data /${marker}\nRUN wc -c /${marker} >/size\n`,
    );
    await writeFile(join(folder, "data"), randomBytes(FILE_BYTES));
  }
  return {
    images,
    async [Symbol.asyncDispose]() {
      await rm(root, { recursive: true });
      const { stdout } = await run("docker", ["images", "--quiet", `${prefix}:*`]);
      const ids = stdout.split("\n").filter((id) => id !== "");
      if (ids.length > 0) await run("docker", ["rmi", "--force", ...ids]);
      await pruneBuildCache(marker, since);
    },
  };
}

/** As the clients do it: all are sent, and asked for until they have ended. */
async function buildHere(
  images: Contexts["images"],
  server: BenchServer,
  signal: AbortSignal,
): Promise<void> {
  const { url, key } = server;
  const headers = { "X-API-Key": key };
  const left = [...images];
  const one = async (): Promise<void> => {
    const image = left.pop();
    if (!image) return;
    const form = new FormData();
    form.append("context", new Blob([await contextOf(image.folder)]), "context.tar.gz");
    form.append("target_image", image.name);
    const sent = await fetch(`${url}/build`, { method: "POST", headers, body: form, signal });
    const text = await sent.text();
    if (sent.status !== 202) throw new Error(`POST /build: status ${sent.status}: ${text}`);
    await untilBuilt(server, Accepted.parse(JSON.parse(text)).build_id, signal);
  };
  await inLanes({ count: images.length, width: images.length }, one, signal);
}

async function untilBuilt(
  { url, key }: BenchServer,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const headers = { "X-API-Key": key };
  for (;;) {
    const asked = await fetch(`${url}/build_status?build_id=${id}`, { headers, signal });
    const { status, error } = Status.parse(await asked.json());
    if (status === "SUCCESS") return;
    if (status !== "QUEUED" && status !== "WORKING") throw new Error(`${status}: ${error}`);
    await wait(POLL_MS);
  }
}

async function contextOf(folder: string): Promise<string> {
  const options = { encoding: "buffer", maxBuffer: 64 * 1024 * 1024 } as const;
  const { stdout } = await run("tar", ["--create", "--gzip", "--directory", folder, "."], options);
  return stdout.toString("base64");
}

async function buildByHand(images: Contexts["images"], signal: AbortSignal): Promise<void> {
  const left = [...images];
  const one = async (): Promise<void> => {
    const image = left.pop();
    if (image) await run("docker", ["build", "--quiet", "--tag", image.name, image.folder]);
  };
  await inLanes({ count: images.length, width: AT_ONCE }, one, signal);
}

await main();
