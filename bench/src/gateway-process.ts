import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { pinned } from "./pinned.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NODE = `${ROOT}node_modules/.bin/node`;
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 15_000;

/** Written by the program when it can be asked. */
const Greeting = z.object({ msg: z.literal("listening"), url: z.string() });

export type ServerProcessOptions = {
  /** Default: any core. */
  core?: number | undefined;
  env?: Readonly<Record<string, string>>;
  /** Options of Node itself. */
  nodeOptions?: readonly string[];
};

/** A server in a process of its own, on a free loopback port. */
export interface ServerProcess extends AsyncDisposable {
  /** No trailing slash. */
  readonly url: string;
  readonly pid: number;
  /** Ends it by SIGTERM, with SIGKILL as the last resort. */
  stop(): Promise<void>;
}

/** A gateway as it is in production. */
export type GatewayProcess = ServerProcess;

/** As in the Dockerfile. */
const PRODUCTION_OPTIONS = ["--max-semi-space-size=4", "--heap-growing-percent=100"];

export function startGatewayProcess({
  redisUrl,
  key,
  env = {},
  nodeOptions = [],
  ...options
}: ServerProcessOptions & { redisUrl: string; key: string }): Promise<GatewayProcess> {
  const settings = { REDIS_URL: redisUrl, API_KEYS: key, HOST: "127.0.0.1", PORT: "0" };
  return startServerProcess("apps/gateway/src/main.ts", {
    ...options,
    nodeOptions: [...PRODUCTION_OPTIONS, ...nodeOptions],
    env: { ...settings, ...env },
  });
}

/** Starts a program of the repository that logs `listening` with its URL, and waits for that line. */
export async function startServerProcess(
  program: string,
  { core, env = {}, nodeOptions = [] }: ServerProcessOptions,
): Promise<ServerProcess> {
  const words = [NODE, "--disable-warning=ExperimentalWarning", ...nodeOptions, program];
  const [command, ...rest] = pinned(words, core);
  const child = spawn(command, rest, {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env, LOG_LEVEL: "info" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");

  async function stop(): Promise<void> {
    child.kill("SIGTERM");
    const lastResort = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(lastResort);
  }

  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const deadline = setTimeout(
    () => reject(new Error(`${program} does not listen within ${START_DEADLINE_MS / 1000} s`)),
    START_DEADLINE_MS,
  );
  ended.then(
    () => reject(new Error(`${program} ended at its start`)),
    (error: unknown) => reject(error),
  );
  createInterface({ input: child.stdout }).on("line", (line) => {
    const greeting = Greeting.safeParse(parsed(line));
    if (greeting.success) resolve(greeting.data.url);
    // Warnings, which may explain a figure.
    if (/"level":"(warn|error|fatal)"/.test(line)) process.stderr.write(`${line}\n`);
  });
  try {
    const url = await promise;
    return { url, pid: child.pid ?? 0, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(deadline);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Not of the log.
    return undefined;
  }
}
