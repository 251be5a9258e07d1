import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { createDockerfileFolder, ensureStubImage } from "@remote-runtime/testing";
import { z } from "zod";
import { type Api, createApi } from "./api.ts";
import { engineSocket } from "./engine-socket.ts";
import { createHttp, expectStatus, type Http } from "./http.ts";
import { judged } from "./judged.ts";
import { createRawEngine } from "./raw-engine.ts";
import { type Removals, watchRemovals } from "./removals.ts";
import { conditions, report } from "./report.ts";
import { median, percentile, rounded } from "./statistics.ts";
import { untilAlive } from "./until-alive.ts";
import { withBenchServer } from "./with-bench-server.ts";

const ROUNDS = 15;
/** As often as the agent of the engine alone is asked. */
const POLL_MS = 15;
const PATH = "/agent-server";
const PYTHON = `${PATH}/.venv/bin/python`;
const COMMAND = `${PYTHON} -m openhands.agent_server --port 60000`;
/** Has what the stub agent runs on, and no agent. */
const STOCK = "node:24-bookworm-slim";
const MOST_ADDED_MS = 100;

const run = promisify(execFile);
const Inspected = z.object({
  SizeRw: z.number().default(0),
  Mounts: z.array(z.object({ Name: z.string().default(""), Destination: z.string() })),
});

type Images = AsyncDisposable & { agent: string; stock: readonly string[] };
type Ready = { ms: number; copiedBytes: number; volume: string };
type Round = { raw: number; ready: number; held: number; copiedBytes: number };

/**
 * The first sandbox of a stock image that no sandbox had before, which runs an agent by injection, against a container on the
 * engine alone whose image has that agent; and, for information, against the server with that image. By turns, one at a time.
 */
async function main(): Promise<void> {
  const began = conditions();
  await using images = await makeImages();
  const rounds: Round[] = [];
  const volumes = new Set<string>();
  const work = async (
    server: { url: string; key: string; network: string },
    signal: AbortSignal,
  ) => {
    const api = createApi(server, { pollMs: POLL_MS });
    const engine = createHttp({ socketPath: engineSocket() });
    const raw = createRawEngine({ image: images.agent, network: server.network });
    const removals = await watchRemovals();
    const by = { api, engine, removals };
    try {
      for (const [round, stock] of images.stock.entries()) {
        signal.throwIfAborted();
        const injected = await readyOf(stock, by);
        const alone = await timeOf(raw);
        const held = await readyOf(images.agent, by);
        // What only the first ones cost is nobody's.
        if (round === 0) continue;
        volumes.add(injected.volume);
        rounds.push({
          raw: alone,
          ready: injected.ms,
          held: held.ms,
          copiedBytes: injected.copiedBytes,
        });
      }
    } finally {
      removals.close();
      raw.close();
      engine.close();
      api.close();
    }
  };
  await withBenchServer(work, { INJECT: `${PATH}=${images.agent}` });

  const of = (value: (round: Round) => number): number => median(rounds.map(value));
  const added = of(({ ready, raw }) => ready - raw);
  const copied = Math.max(...rounds.map(({ copiedBytes }) => copiedBytes));
  const rows = {
    "added to start and boot, ms": {
      median: rounded(added),
      p90: rounded(
        percentile(
          rounds.map(({ ready, raw }) => ready - raw),
          0.9,
        ),
      ),
      ...judged(added, { atMost: MOST_ADDED_MS }),
    },
    "written for a sandbox, bytes": { median: copied, ...judged(copied, { atMost: 0 }) },
    "volumes for all of them": { median: volumes.size, ...judged(volumes.size, { atMost: 1 }) },
    "first ready, injected, ms": { median: rounded(of(({ ready }) => ready)) },
    "start and boot, engine alone, ms": { median: rounded(of(({ raw }) => raw)) },
    "ready, agent in the image, ms": { median: rounded(of(({ held }) => held)) },
  };
  await report("zero-build", { rows, conditions: began, details: rounds });
}

/** From /start until it is ready and answers, and what was written into it by then. */
async function readyOf(
  image: string,
  { api, engine, removals }: { api: Api; engine: Http; removals: Removals },
): Promise<Ready> {
  const began = performance.now();
  const runtime = await api.ready(await api.start(image, COMMAND));
  await untilAlive(runtime.url, 1);
  const ms = performance.now() - began;
  const path = `/containers/${runtime.runtime_id}/json?size=true`;
  const answer = await engine.send("GET", path);
  const { SizeRw, Mounts } = Inspected.parse(JSON.parse(expectStatus("inspect", answer, [200])));
  const volume = Mounts.find(({ Destination }) => Destination === PATH)?.Name ?? "";
  // What is still removed would slow down whatever is measured next.
  const gone = removals.of(runtime.runtime_id);
  await api.stop(runtime);
  await gone;
  return { ms, copiedBytes: SizeRw, volume };
}

async function timeOf(raw: ReturnType<typeof createRawEngine>): Promise<number> {
  const began = performance.now();
  const id = await raw.start(`openhands-bench-raw-${randomUUID()}`);
  const ms = performance.now() - began;
  await raw.remove(id);
  return ms;
}

/** The agent's image, and one stock image for each round. */
async function makeImages(): Promise<Images> {
  const name = `openhands-bench/zero-build-${randomBytes(4).toString("hex")}`;
  const stub = await ensureStubImage({ log: console.log });
  const agent = `${name}:agent`;
  // The whole agent under its path, as the published images have it.
  await build(agent, `FROM ${stub}\nRUN cp --remove-destination $(readlink ${PYTHON}) ${PYTHON}\n`);
  const { stdout } = await run("docker", ["image", "inspect", "--format", "{{.Id}}", agent]);
  const stock = Array.from({ length: ROUNDS + 1 }, (_, round) => `${name}:stock-${round}`);
  for (const tag of stock) await build(tag, `FROM ${STOCK}\nLABEL stock=${tag}\n`);
  return {
    agent,
    stock,
    async [Symbol.asyncDispose]() {
      const label = `label=openhands.runtime.inject.image=${stdout.trim()}`;
      const found = await run("docker", ["volume", "ls", "--quiet", "--filter", label]);
      const volumes = found.stdout.split("\n").filter((line) => line !== "");
      if (volumes.length > 0) await run("docker", ["volume", "rm", ...volumes]);
      await run("docker", ["rmi", "--force", agent, ...stock]);
    },
  };
}

async function build(tag: string, dockerfile: string): Promise<void> {
  await using folder = await createDockerfileFolder(dockerfile);
  await run("docker", ["build", "--quiet", "--tag", tag, folder.path]);
}

await main();
