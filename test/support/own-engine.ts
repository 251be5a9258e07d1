import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ensureRealImage } from "../real-image/real-image.ts";
import { docker } from "./docker.ts";
import { mountSmallDisk } from "./mount-small-disk.ts";
import { until } from "./until.ts";

export type OwnEngineOptions = {
  /** Size of the file system that its data root is, in MiB. Takes root. Default: a folder of the host's own. */
  diskMib?: number;
  /** More arguments of dockerd. Default none. */
  arguments?: readonly string[];
};

/** A second Docker engine on this machine, with images, containers and networks of its own. Disposing removes them all. */
export interface OwnEngine extends AsyncDisposable {
  /** For DOCKER_HOST, of servers on this host; what is published on the engine is reached at `address`. */
  readonly url: string;
  /** Its IP address on the bridge of this machine's engine. */
  readonly address: string;
  /** Its data root, seen from here under the path that it calls it itself. */
  readonly dataRoot: string;
  /** Runs the docker command against it and returns what it printed, trimmed. */
  docker(...args: string[]): Promise<string>;
  /** Copies an image over from this machine's engine. */
  load(image: string): Promise<void>;
  /** Ends its daemon, with what that ends, and waits for its end: SIGTERM as a host going down, SIGKILL as a crash. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Starts the daemon that was ended, with the same files at the same address, and waits until it answers. */
  restart(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 60_000;
/** While this file is there the daemon stays away, in a container that keeps its address. */
const AWAY = "/run/away";
const DAEMON = `while sleep 0.1; do [ -e ${AWAY} ] || dockerd "$@"; done`;

/** Starts an engine in a privileged container. */
export async function startOwnEngine(options: OwnEngineOptions = {}): Promise<OwnEngine> {
  const image = await ensureRealImage("engine", { log: console.error });
  const resources = new AsyncDisposableStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), "own-engine-"));
    resources.defer(() => rm(folder, { recursive: true, force: true }));
    const dataRoot = join(folder, "data");
    await mkdir(dataRoot);
    if (options.diskMib !== undefined) {
      const wanted = { file: join(folder, "disk"), mib: options.diskMib };
      resources.use(await mountSmallDisk(dataRoot, wanted));
    }
    const mount = mountOf(dataRoot);
    const daemon = ["--data-root", dataRoot, "--host", "tcp://0.0.0.0:2375", "--tls=false"];
    resources.defer(() => clear(dataRoot, image));
    const args = [...daemon, ...(options.arguments ?? [])];
    const shell = ["--entrypoint", "sh", image, "-c", DAEMON, "dockerd", ...args];
    const id = await docker("run", "--detach", "--privileged", "--mount", mount, ...shell);
    resources.defer(() => docker("rm", "--force", "--volumes", id).then(() => undefined));
    const address = await docker(
      "inspect",
      "--format",
      "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
      id,
    );
    const url = `tcp://${address}:2375`;
    const onIt = (...more: string[]): Promise<string> => docker("--host", url, ...more);
    const inside = (script: string): Promise<string> => docker("exec", id, "sh", "-c", script);
    const answers = (): Promise<boolean> => onIt("version").then(Boolean, () => false);
    const untilAnswers = (): Promise<boolean> =>
      until(answers, Boolean, { deadlineMs: START_DEADLINE_MS, what: `an engine at ${url}` });
    await untilAnswers();
    return {
      url,
      address,
      dataRoot,
      docker: onIt,
      load: (name) => copyImage(name, url),
      async end(signal) {
        await inside(`touch ${AWAY} && kill -${signal.slice(3)} $(cat /run/docker.pid)`);
        const lives = "pidof dockerd > /dev/null && echo lives || echo ended";
        const hasEnded = (state: string): boolean => state === "ended";
        await until(() => inside(lives), hasEnded, { deadlineMs: END_DEADLINE_MS });
      },
      async restart() {
        await inside(`rm -f ${AWAY}`);
        await untilAnswers();
      },
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** What the engine wrote is root's, and a test may be run by somebody else. */
async function clear(dataRoot: string, image: string): Promise<void> {
  const find = ["--entrypoint", "find", image, dataRoot, "-mindepth", "1", "-delete"];
  await docker("run", "--rm", "--mount", mountOf(dataRoot), ...find);
}

function mountOf(dataRoot: string): string {
  return `type=bind,source=${dataRoot},target=${dataRoot}`;
}

async function copyImage(image: string, url: string): Promise<void> {
  const save = spawn("docker", ["save", image], { stdio: ["ignore", "pipe", "inherit"] });
  const load = spawn("docker", ["--host", url, "load"], { stdio: ["pipe", "ignore", "inherit"] });
  const ends = [save, load].map((child) => once(child, "exit"));
  await pipeline(save.stdout, load.stdin);
  for (const end of ends) {
    const [code] = await end;
    if (code !== 0) throw new Error(`${image} could not be copied to the engine at ${url}`);
  }
}
