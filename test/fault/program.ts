import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { call } from "../support/call.ts";
import { until } from "../support/until.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NODE = join(ROOT, "node_modules/.bin/node");
const END_DEADLINE_MS = 20_000;
const MOST_LOG_CHARACTERS = 1024 * 1024;

/** One process of a server. Disposing kills it. */
export interface Program extends AsyncDisposable {
  /** What it has printed, the last MiB of it. */
  log(): string;
  signal(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. Throws when it goes on for 20 s. */
  ended(): Promise<number | NodeJS.Signals | null>;
}

export type App = "gateway" | "replica" | "standalone";

/** Of the tests' own environment it gets `PATH`, `HOME` and the engine's address, unless `env` says otherwise. */
export function startProgram(app: App, env: Readonly<Record<string, string>>): Program {
  const { PATH = "", HOME = "", DOCKER_HOST } = process.env;
  const own = DOCKER_HOST === undefined ? {} : { DOCKER_HOST };
  // The engine is its owner's, however full its disk.
  const engine = { ...own, EVICT_IMAGES: "none" };
  const child = spawn(NODE, ["--disable-warning=ExperimentalWarning", `apps/${app}/src/main.ts`], {
    cwd: ROOT,
    env: { PATH, HOME, ...engine, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-MOST_LOG_CHARACTERS);
    });
  }
  const closed = once(child, "close");

  async function ended(): Promise<number | NodeJS.Signals | null> {
    await until(
      () => child.exitCode ?? child.signalCode,
      (end) => end !== null,
      { deadlineMs: END_DEADLINE_MS, what: `the end of the ${app}` },
    );
    await closed;
    return child.exitCode ?? child.signalCode;
  }

  return {
    log: () => output,
    signal: (signal) => void child.kill(signal),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended();
    },
  };
}

/** Waits until the server at this URL answers; what `program` printed stands in the error. */
export async function untilHealthy(url: string, program: Program): Promise<void> {
  const answers = (): Promise<boolean> =>
    call(`${url}/health`).then(
      ({ status }) => status === 200,
      () => false,
    );
  await until(answers, Boolean, { deadlineMs: 60_000, what: url }).catch((error: unknown) => {
    throw new Error(`no answer from ${url}; it printed:\n${program.log()}`, { cause: error });
  });
}

/** A port of the loopback address that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
