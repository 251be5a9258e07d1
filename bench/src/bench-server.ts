import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const READY_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 15_000;

export interface BenchServer {
  readonly url: string;
  readonly key: string;
  /** Its sandboxes are in it, and nothing else but what the comparison adds. */
  readonly network: string;
  /** Ends the server, and removes its sandboxes, its network and its files. */
  stop(): Promise<void>;
}

/** A standalone server of its own on a free port, started by `command` in the repository's root as a person would. */
export async function startBenchServer(
  command: readonly [string, ...string[]],
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), "remote-runtime-bench-"));
  const id = randomBytes(4).toString("hex");
  const network = `openhands-bench-${id}`;
  const key = randomBytes(16).toString("hex");
  const [program, ...words] = command;
  const child = spawn(program, [...words, "--host", "127.0.0.1", "--port", "0"], {
    cwd: ROOT,
    // A group of its own: npm and sh do not always pass a signal on.
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      API_KEYS: key,
      DATA_DIR: folder,
      LOG_LEVEL: "warn",
      REPLICA_ID: `bench-${id}`,
      SANDBOX_NETWORK: network,
      ...settings,
    },
  });
  const ended = once(child, "close");

  async function stop(): Promise<void> {
    signalGroup(child.pid, "SIGTERM");
    const lastResort = setTimeout(() => signalGroup(child.pid, "SIGKILL"), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(lastResort);
    await removeNetwork(network);
    await rm(folder, { recursive: true, force: true });
  }

  try {
    const url = await greetedUrl(child.stdout, ended);
    return { url, key, network, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function greetedUrl(output: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const deadline = setTimeout(
    () => reject(new Error(`the server did not answer within ${READY_DEADLINE_MS / 1000} s`)),
    READY_DEADLINE_MS,
  );
  void ended.then(() => reject(new Error("the server ended before it answered")));
  createInterface({ input: output }).on("line", (line) => {
    const url = /answers at (http:\S+)$/.exec(line)?.[1];
    if (url !== undefined) resolve(url);
    // Warnings of its log, which may explain a figure.
    if (line.startsWith("{")) process.stderr.write(`${line}\n`);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
  }
}

function signalGroup(pid: number | undefined, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: it has ended.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** With every container that is in it. */
async function removeNetwork(network: string): Promise<void> {
  const docker = async (...words: string[]): Promise<string[]> =>
    (await run("docker", words)).stdout.split("\n").filter((line) => line !== "");
  const containers = await docker("ps", "--all", "--quiet", "--filter", `network=${network}`);
  if (containers.length > 0) await docker("rm", "--force", "--volumes", ...containers);
  const networks = await docker("network", "ls", "--quiet", "--filter", `name=^${network}$`);
  if (networks.length > 0) await docker("network", "rm", ...networks);
}
