import { randomBytes } from "node:crypto";
import { ensureRealImage } from "../real-image/real-image.ts";
import { call } from "./call.ts";
import { docker } from "./docker.ts";
import { until } from "./until.ts";

export type OwnRegistryOptions = {
  /** Whom it lets in. Default: everybody. */
  user?: { name: string; password: string };
  /** Passes on what the registry at this URL has. Default: it has what is pushed to it. */
  mirrorOf?: string;
};

/** An image registry in a container. Disposing removes it with all that it has. */
export interface OwnRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`, which this machine's engine trusts without TLS. */
  readonly local: string;
  /** `address:5000` on the bridge, for engines of `startOwnEngine` that are told to trust it: `--insecure-registry`. */
  readonly address: string;
  /** Method and path of each request so far, e.g. `GET /v2/name/blobs/sha256:…`. */
  requests(): Promise<string[]>;
  pause(): Promise<void>;
  unpause(): Promise<void>;
}

const CONFIG = "/etc/docker/registry/config.yml";
const HTPASSWD = "/etc/docker/registry/htpasswd";
/** As its log has them, in the format of Apache. */
const REQUEST = /"([A-Z]+ \S+) HTTP\/1\.1"/g;
const START_DEADLINE_MS = 30_000;

export async function startOwnRegistry(options: OwnRegistryOptions = {}): Promise<OwnRegistry> {
  const { user, mirrorOf } = options;
  const image = await ensureRealImage("registry", { log: console.error });
  const name = `test-registry-${randomBytes(6).toString("hex")}`;
  const config = {
    version: 0.1,
    log: { level: "warn" },
    storage: {
      filesystem: { rootdirectory: "/var/lib/docker-registry" },
      delete: { enabled: true },
    },
    http: { addr: ":5000" },
    ...(user ? { auth: { htpasswd: { realm: "test", path: HTPASSWD } } } : {}),
    ...(mirrorOf === undefined ? {} : { proxy: { remoteurl: mirrorOf } }),
  };
  // Arguments of a shell, not parts of its text: a password may hold anything.
  const script = [
    `printf %s "$1" >${CONFIG}`,
    `[ -z "$2" ] || htpasswd -Bbn "$2" "$3" >${HTPASSWD}`,
    `exec docker-registry serve ${CONFIG}`,
  ].join(" && ");
  const words = [JSON.stringify(config), user?.name ?? "", user?.password ?? ""];
  const remove = (): Promise<void> =>
    docker("rm", "--force", "--volumes", name).then(() => undefined);
  try {
    const published = ["--detach", "--name", name, "--publish", "127.0.0.1::5000"];
    await docker("run", ...published, "--entrypoint", "sh", image, "-c", script, "sh", ...words);
    const local = await docker("port", name, "5000/tcp");
    const answers = (): Promise<boolean> =>
      call(`http://${local}/v2/`).then(
        ({ status }) => status === 200 || status === 401,
        () => false,
      );
    await until(answers, Boolean, {
      deadlineMs: START_DEADLINE_MS,
      what: `a registry at ${local}`,
    });
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    return {
      local,
      address: `${await docker("inspect", "--format", format, name)}:5000`,
      requests: async () =>
        Array.from((await docker("logs", name)).matchAll(REQUEST), ([, request = ""]) => request),
      pause: () => docker("pause", name).then(() => undefined),
      unpause: () => docker("unpause", name).then(() => undefined),
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove().catch(() => undefined);
    throw error;
  }
}
