import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startTinyRegistry, type TinyRegistry } from "@remote-runtime/testing";
import { judged } from "./judged.ts";
import { inLanes } from "./lanes.ts";
import { conditions, report } from "./report.ts";
import { median, rounded } from "./statistics.ts";
import { withBenchServer } from "./with-bench-server.ts";

const COUNT = 300;
const ROUNDS = 3;
/** As many as a replica pulls at a time by default, and as an engine downloads layers. */
const AT_ONCE = 3;
const LAYER_BYTES = 100_000;
const LEAST_RATIO = 0.9;

const run = promisify(execFile);
const COMMAND = fileURLToPath(new URL("../../scripts/remote-runtime.sh", import.meta.url));

/** Lists of small images: by `remote-runtime prefetch`, and by as many `docker pull` at a time, by turns. */
async function main(): Promise<void> {
  const began = conditions();
  const folder = await mkdtemp(join(tmpdir(), "remote-runtime-bench-prefetch-"));
  const file = join(folder, "images.txt");
  const rounds: { prefetch: number; byHand: number; again: number }[] = [];
  try {
    await withBenchServer(async ({ url, key }, signal) => {
      const env = { ...process.env, REMOTE_RUNTIME_URL: url, SANDBOX_API_KEY: key };
      const prefetch = async (images: readonly string[]): Promise<number> => {
        await writeFile(file, images.join("\n"));
        const start = performance.now();
        await run(COMMAND, ["prefetch", file], { env, signal });
        return (performance.now() - start) / 1000;
      };
      const byHand = async (images: readonly string[]): Promise<number> => {
        const left = [...images];
        const pull = async (): Promise<void> => {
          await run("docker", ["pull", "--quiet", left.pop() ?? ""], { signal });
        };
        return inLanes({ count: images.length, width: AT_ONCE }, pull, signal);
      };
      // What only the first pull costs is nobody's.
      await withImages(AT_ONCE, prefetch);
      await withImages(AT_ONCE, byHand);
      for (let round = 1; round <= ROUNDS; round += 1) {
        const here = await withImages(COUNT, async (images, registry) => {
          const first = await prefetch(images);
          const again = await prefetch(images);
          const pulls = images.map((image) => registry.pulls(nameOf(image)));
          if (pulls.some((count) => count !== 1)) throw new Error("an image was pulled twice");
          return { first, again };
        });
        const hand = await withImages(COUNT, byHand);
        rounds.push({ prefetch: COUNT / here.first, byHand: COUNT / hand, again: here.again });
        console.log(
          `round ${round}: prefetch ${rounded(COUNT / here.first)} images/s, docker pull ${rounded(COUNT / hand)} images/s`,
        );
      }
    });
  } finally {
    await rm(folder, { recursive: true });
  }
  const ratio = median(rounds.map(({ prefetch, byHand }) => prefetch / byHand));
  const rows = {
    [`${COUNT} images, ${AT_ONCE} at once`]: {
      "prefetch, images/s": rounded(median(rounds.map(({ prefetch }) => prefetch))),
      "docker pull, images/s": rounded(median(rounds.map(({ byHand }) => byHand))),
      ratio: rounded(ratio),
      ...judged(ratio, { atLeast: LEAST_RATIO }),
      "the same again, s": rounded(median(rounds.map(({ again }) => again))),
    },
  };
  await report("prefetch", { rows, conditions: began, details: rounds });
}

/** Images that no engine has, in a registry of this machine, which the engine loses afterwards. */
async function withImages<T>(
  count: number,
  work: (images: readonly string[], registry: TinyRegistry) => Promise<T>,
): Promise<T> {
  await using registry = await startTinyRegistry();
  const images = Array.from({ length: count }, (_, i) =>
    registry.add(`openhands-bench/image-${i}`, { layerBytes: LAYER_BYTES }),
  );
  // Not before that is done the registry ends.
  return await work(images, registry);
}

function nameOf(image: string): string {
  return image.replace(/^[^/]*\//, "").replace(/:latest$/, "");
}

await main();
