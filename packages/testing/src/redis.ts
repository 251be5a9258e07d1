import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** A Redis of one's own, in a container; empty, and without anything on disk. */
export interface TestRedis extends AsyncDisposable {
  /** With the password, where there is one. It stays the same after restart(). */
  readonly url: string;
  /** Stops the process as SIGSTOP does: connections are accepted and nothing is answered. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  /** Ends the process with SIGKILL; its port refuses connections then. */
  kill(): Promise<void>;
  /** Starts an empty Redis at the same address, after kill(). */
  restart(): Promise<void>;
}

const IMAGE = "redis:7.4.6-alpine";
const DOCKER_DEADLINE_MS = 60_000;
const READY_DEADLINE_MS = 20_000;
const POLL_MS = 25;

/**
 * Starts Redis through the docker command, on a loopback port that Docker picks, and waits until it answers.
 * Throws when it does not within 20 s.
 */
export async function startRedis(
  options: {
    /** Default none. */
    password?: string;
    /** Whether it refuses all but its own machine, as it comes; default false. */
    protectedMode?: boolean;
  } = {},
): Promise<TestRedis> {
  const { password, protectedMode = false } = options;
  const name = `openhands-test-redis-${randomUUID().slice(0, 13)}`;
  const run = (port: number) => runContainer({ name, port, password, protectedMode });
  const port = await run(0);
  return {
    url: `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`,
    pause: () => docker("pause", name),
    unpause: () => docker("unpause", name),
    kill: () => remove(name),
    restart: async () => void (await run(port)),
    [Symbol.asyncDispose]: () => remove(name),
  };
}

async function runContainer(options: {
  name: string;
  /** On the host; 0: Docker picks one. */
  port: number;
  password: string | undefined;
  protectedMode: boolean;
}): Promise<number> {
  const { name, password, protectedMode } = options;
  const auth = password === undefined ? [] : ["--requirepass", password];
  try {
    const publish = `127.0.0.1:${options.port}:6379`;
    // An image without Redis' own defaults for containers would answer loopback connections only.
    const mode = ["--protected-mode", protectedMode ? "yes" : "no"];
    const server = ["redis-server", "--save", "", ...mode, ...auth];
    await docker("run", "--detach", "--rm", "--name", name, "--publish", publish, IMAGE, ...server);
    const port = Number((await dockerOutput("port", name, "6379/tcp")).trim().split(":").at(-1));
    await untilAnswering(port);
    return port;
  } catch (error) {
    await remove(name);
    throw error;
  }
}

/** Removes the container and returns when it is gone, so that its name and port are free. */
async function remove(name: string): Promise<void> {
  const deadline = Date.now() + DOCKER_DEADLINE_MS;
  while (await exists(name)) {
    if (Date.now() > deadline) throw new Error(`container ${name} is not gone after a minute`);
    // Fails while the engine is removing it already (--rm): the next look tells.
    await docker("rm", "--force", name).catch(() => delay(POLL_MS));
  }
}

async function exists(name: string): Promise<boolean> {
  const filter = `name=^${name}$`;
  return (await dockerOutput("ps", "--all", "--quiet", "--filter", filter)).trim() !== "";
}

async function untilAnswering(port: number): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (!(await answers(port))) {
    if (Date.now() > deadline) throw new Error(`Redis at port ${port} does not answer`);
    await delay(POLL_MS);
  }
}

/** Whether PING brings an answer; that it asks for the password is one, and that it refuses everybody. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1000 });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => end(/^\+PONG|^-NOAUTH|^-DENIED/.test(data.toString())));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
    socket.once("end", () => end(false));
  });
}

async function docker(...args: string[]): Promise<void> {
  await dockerOutput(...args);
}

async function dockerOutput(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("docker", args, { timeout: DOCKER_DEADLINE_MS });
  return stdout;
}
