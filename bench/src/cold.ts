import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensureStubImage } from "@remote-runtime/testing";
import { type Api, createApi } from "./api.ts";
import { judged } from "./judged.ts";
import { createRawEngine } from "./raw-engine.ts";
import { conditions, report } from "./report.ts";
import { median, rounded } from "./statistics.ts";
import { untilAlive } from "./until-alive.ts";
import { withBenchServer } from "./with-bench-server.ts";

const STARTS = 16;
const ROUNDS = 3;
const LAYER_BYTES = 200_000_000;
const MOST_RATIO = 1.2;
const FILL = `head -c ${LAYER_BYTES} /dev/urandom >/layer`;
const SERVE = [
  "--entrypoint=registry",
  "registry:2.8.3",
  "serve",
  "/etc/docker/registry/config.yml",
];
const ENSURE_IMAGES = fileURLToPath(new URL("../../scripts/ensure-images.sh", import.meta.url));

const run = promisify(execFile);

/** Starts of an image that no engine has, all at once: through the server, and by hand with one pull before, by turns. */
async function main(): Promise<void> {
  const began = conditions();
  const stub = await ensureStubImage({ log: console.log });
  await run(ENSURE_IMAGES, ["registry"]);
  const registry = await docker("run", "--detach", "--publish", "127.0.0.1::5000", ...SERVE);
  const rounds: { server: number; pull: number; starts: number }[] = [];
  try {
    const host = await docker("port", registry, "5000/tcp");
    await withBenchServer(async (server) => {
      const api = createApi(server);
      try {
        for (let round = 1; round <= ROUNDS; round += 1) {
          const here = await withColdImage({ stub, host }, (image) => startAll(api, image));
          const byHand = await withColdImage({ stub, host }, (image) =>
            startByHand(image, server.network),
          );
          rounds.push({ server: here, ...byHand });
          console.log(
            `round ${round}: server ${rounded(here)} s, pull ${rounded(byHand.pull)} s and ${STARTS} starts ${rounded(byHand.starts)} s`,
          );
        }
      } finally {
        api.close();
      }
    });
  } finally {
    await docker("rm", "--force", "--volumes", registry);
  }
  const ratio = median(rounds.map(({ server, pull, starts }) => server / (pull + starts)));
  const rows = {
    [`${STARTS} starts of one cold image`]: {
      "server, until all are ready, s": rounded(median(rounds.map(({ server }) => server))),
      "pull by hand, s": rounded(median(rounds.map(({ pull }) => pull))),
      "starts by hand, s": rounded(median(rounds.map(({ starts }) => starts))),
      ratio: rounded(ratio),
      ...judged(ratio, { atMost: MOST_RATIO }),
    },
  };
  await report("cold", { rows, conditions: began, details: rounds });
}

/** An image with a large layer that is in the registry and nowhere else. */
async function withColdImage<T>(
  { stub, host }: { stub: string; host: string },
  work: (image: string) => Promise<T>,
): Promise<T> {
  const image = `${host}/openhands-bench/cold:${randomBytes(4).toString("hex")}`;
  // By commit: what a build made, the engine would keep in its build cache, and a pull would find it there.
  const maker = await docker("run", "--detach", "--entrypoint=sh", stub, "-c", FILL);
  try {
    await docker("wait", maker);
    await docker("commit", maker, image);
  } finally {
    await docker("rm", "--force", maker);
  }
  await docker("push", "--quiet", image);
  await docker("rmi", image);
  try {
    return await work(image);
  } finally {
    await docker("rmi", "--force", image);
  }
}

/** Seconds until the last of them is ready. Throws unless there was one pull. */
async function startAll(api: Api, image: string): Promise<number> {
  const since = Date.now() / 1000;
  const began = performance.now();
  const runtimes = await Promise.all(
    Array.from({ length: STARTS }, async () => {
      const runtime = await api.ready(await api.start(image));
      await untilAlive(runtime.url, 1);
      return runtime;
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(runtimes.map((runtime) => api.stop(runtime)));
  const filters = ["--filter", "type=image", "--filter", "event=pull"];
  const time = ["--since", String(since), "--until", String(Date.now() / 1000)];
  const pulls = await docker("events", ...filters, ...time, "--format", "{{.Actor.ID}}");
  const ours = pulls.split("\n").filter((name) => name.includes("openhands-bench/cold"));
  if (ours.length !== 1) throw new Error(`${ours.length} pulls of ${image}`);
  return seconds;
}

async function startByHand(
  image: string,
  network: string,
): Promise<{ pull: number; starts: number }> {
  const began = performance.now();
  await docker("pull", "--quiet", image);
  const pulled = performance.now();
  const raw = createRawEngine({ image, network });
  try {
    const names = Array.from({ length: STARTS }, () => `openhands-bench-raw-${randomUUID()}`);
    const started = await Promise.all(names.map((name) => raw.start(name)));
    const starts = (performance.now() - pulled) / 1000;
    await Promise.all(started.map((id) => raw.remove(id)));
    return { pull: (pulled - began) / 1000, starts };
  } finally {
    raw.close();
  }
}

async function docker(...words: string[]): Promise<string> {
  return (await run("docker", words)).stdout.trim();
}

await main();
