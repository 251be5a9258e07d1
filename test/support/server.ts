import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { containersWith, docker } from "./docker.ts";
import { until } from "./until.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NODE = join(ROOT, "node_modules/.bin/node");
const START_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 20_000;
const MOST_LOG_CHARACTERS = 1024 * 1024;
const REPLICA_LABEL = "openhands.runtime.replica";
/** Of the tests' own environment the server gets what a program and a Docker client need, and none of its settings. */
const INHERITED = [
  "PATH",
  "HOME",
  "TMPDIR",
  "DOCKER_HOST",
  "DOCKER_CONFIG",
  "DOCKER_CERT_PATH",
  "DOCKER_TLS_VERIFY",
];

export type TestServerOptions = {
  /** Settings over the fixture's own. */
  env?: Readonly<Record<string, string>>;
  /** Default: one that is free. */
  port?: number;
};

/** A standalone server in a process of its own, with files, keys, network and containers of its own. */
export interface TestServer extends AsyncDisposable {
  /** No trailing slash. The same after restart(). */
  readonly url: string;
  readonly port: number;
  /** Two keys, of the owners `alice` and `bob`. */
  readonly key: string;
  readonly otherKey: string;
  readonly replicaId: string;
  readonly dataDir: string;
  /** Ends the process and waits for its end. Default SIGKILL. Already ended is fine. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again with the same port, files and settings, after a SIGTERM if it still runs. Returns when it answers. */
  restart(): Promise<void>;
  /** What all its lives printed, the last MiB of it. */
  log(): string;
  /** Names of the containers that it made, in any state. */
  containers(): Promise<string[]>;
}

/** Starts the server and waits for the URL that it prints. Disposing ends it and removes everything that it made. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const name = `test-${randomBytes(6).toString("hex")}`;
  const key = randomBytes(18).toString("base64url");
  const otherKey = randomBytes(18).toString("base64url");
  const dataDir = await mkdtemp(join(tmpdir(), `openhands-${name}-`));
  const network = `openhands-${name}`;
  const settings = {
    API_KEYS: `alice=${key},bob=${otherKey}`,
    DATA_DIR: dataDir,
    REPLICA_ID: name,
    SANDBOX_NETWORK: network,
    LOG_LEVEL: "info",
    // The engine is its owner's, however full its disk.
    EVICT_IMAGES: "none",
    ...options.env,
  };
  const env = { ...inherited(), ...settings };
  let output = "";
  let child: ChildProcess | undefined;

  async function launch(port: number): Promise<string> {
    const launched = spawn(
      NODE,
      [
        "--disable-warning=ExperimentalWarning",
        "apps/standalone/src/main.ts",
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
      ],
      {
        cwd: ROOT,
        env,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    child = launched;
    let printed = "";
    for (const stream of [launched.stdout, launched.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-MOST_LOG_CHARACTERS);
        printed = (printed + text).slice(-MOST_LOG_CHARACTERS);
      });
    }
    const url = await until(
      () => (hasEnded(launched) ? "ended" : /answers at (http:\/\/\S+)/.exec(printed)?.[1]),
      (found) => found !== undefined,
      { deadlineMs: START_DEADLINE_MS, everyMs: 10, what: "the server's URL" },
    ).catch((error: unknown) => fail(error));
    if (url === undefined || url === "ended")
      return fail(new Error("the server ended at its start"));
    return url;
  }

  function fail(error: unknown): never {
    throw new Error(`${name} does not start; it printed:\n${output}`, { cause: error });
  }

  async function kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (child === undefined || hasEnded(child)) return;
    const ended = once(child, "exit", { signal: AbortSignal.timeout(END_DEADLINE_MS) });
    child.kill(signal);
    await ended;
  }

  async function dispose(): Promise<void> {
    await kill();
    await removeContainers(name);
    if ((await docker("network", "ls", "--quiet", "--filter", `name=^${network}$`)) !== "") {
      await docker("network", "rm", network);
    }
    await rm(dataDir, { recursive: true, force: true });
  }

  try {
    const url = await launch(options.port ?? 0);
    const port = Number(new URL(url).port);
    return {
      url,
      port,
      key,
      otherKey,
      replicaId: name,
      dataDir,
      kill,
      async restart() {
        await kill("SIGTERM");
        await launch(port);
      },
      log: () => output,
      containers: () => containersWith(`${REPLICA_LABEL}=${name}`),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function inherited(): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The engine may still be at work for a process that was killed a moment ago, so it is looked twice. */
async function removeContainers(replicaId: string): Promise<void> {
  for (let empty = 0; empty < 2;) {
    const names = await containersWith(`${REPLICA_LABEL}=${replicaId}`);
    empty = names.length === 0 ? empty + 1 : 0;
    // One that is being removed already is an error here, and gone at the next look.
    if (names.length > 0)
      await docker("rm", "--force", "--volumes", ...names).catch(() => undefined);
  }
}
