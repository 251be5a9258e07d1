import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { docker } from "../support/docker.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const UP_DEADLINE_MS = 240_000;
const MOST_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Of the tests' own environment compose gets what Docker needs, and none of the servers' settings. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG"];

/** One container of the service `replica`. */
export type ReplicaContainer = {
  /** Compose's number; its replica is `{project}-replica-{number}`. */
  number: number;
  container: string;
  replicaId: string;
  /** Its direct URL on this machine, as the gateway should tell it. */
  url: string;
  startedAt: string;
};

/** docker-compose.yml under a project of its own, with settings, key, network and a free port of its own. */
export interface ComposeProject {
  readonly name: string;
  /** The gateway. */
  readonly url: string;
  readonly key: string;
  /** Ends with the command's output when it fails. `env` is added to the settings for this command. */
  compose(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** scripts/compose.sh */
  script(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** The running replicas by number. */
  replicas(): Promise<ReplicaContainer[]>;
  /** Names of the sandboxes' containers, in any state. */
  sandboxes(): Promise<string[]>;
  /** Whatever is left of the project: containers and networks. */
  remains(): Promise<string[]>;
}

export async function createComposeProject(
  overrides: Readonly<Record<string, string>> = {},
): Promise<ComposeProject> {
  const name = `compose-test-${randomBytes(4).toString("hex")}`;
  const key = randomBytes(18).toString("base64url");
  const port = await freePort();
  const settings = {
    COMPOSE_PROJECT_NAME: name,
    // A person's own .env is for a person's own project.
    COMPOSE_DISABLE_ENV_FILE: "1",
    PORT: String(port),
    API_KEYS: `alice=${key}`,
    // The engine is its owner's, however full its disk.
    EVICT_IMAGES: "none",
    ...overrides,
  };

  async function run(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd: ROOT,
      env: { ...inherited(), ...settings, ...env },
      timeout: UP_DEADLINE_MS,
      maxBuffer: MOST_OUTPUT_BYTES,
    });
    return stdout.trim();
  }

  const ofProject = `label=com.docker.compose.project=${name}`;
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    key,
    compose: (args, env) => run("docker", ["compose", ...args], env),
    script: (args, env) => run("scripts/compose.sh", args, env),
    async replicas() {
      const filters = [
        "--filter",
        ofProject,
        "--filter",
        "label=com.docker.compose.service=replica",
      ];
      const containers = lines(await docker("ps", "--quiet", ...filters));
      const found = await Promise.all(
        containers.map((container) => describeReplica(name, container)),
      );
      return found.toSorted((one, other) => one.number - other.number);
    },
    async sandboxes() {
      const format = '{{.Names}} {{.Label "openhands.runtime.replica"}}';
      const all = lines(
        await docker("ps", "--all", "--filter", "label=openhands.runtime.id", "--format", format),
      );
      return all.flatMap((line) => {
        const [container = "", replicaId = ""] = line.split(" ");
        return replicaId.startsWith(`${name}-replica-`) ? [container] : [];
      });
    },
    async remains() {
      const containers = lines(
        await docker("ps", "--all", "--filter", ofProject, "--format", "{{.Names}}"),
      );
      const networks = lines(
        await docker("network", "ls", "--filter", `name=${name}`, "--format", "{{.Name}}"),
      );
      return [...containers, ...networks];
    },
  };
}

async function describeReplica(project: string, container: string): Promise<ReplicaContainer> {
  const number = await docker(
    "inspect",
    "--format",
    '{{index .Config.Labels "com.docker.compose.container-number"}} {{.State.StartedAt}} {{(index (index .NetworkSettings.Ports "8000/tcp") 0).HostPort}}',
    container,
  );
  const [index = "", startedAt = "", port = ""] = number.split(" ");
  return {
    number: Number(index),
    container,
    replicaId: `${project}-replica-${index}`,
    url: `http://127.0.0.1:${port}`,
    startedAt,
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "0.0.0.0");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function inherited(): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((variable) => {
      const value = process.env[variable];
      return value === undefined ? [] : [[variable, value]];
    }),
  );
}

function lines(text: string): string[] {
  return text === "" ? [] : text.split("\n");
}
