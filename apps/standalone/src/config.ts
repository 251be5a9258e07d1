import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { consistent, keyAliases, sandboxShape } from "@remote-runtime/replica";
import {
  ConfigError,
  envValue,
  LOG_LEVELS,
  readEnvironment,
  type Environment,
} from "@remote-runtime/server";
import { z } from "zod";

const { apiKeys, choice, port, text, url } = envValue;

const shape = {
  ...sandboxShape,
  HOST: text("127.0.0.1").default("0.0.0.0"),
  PORT: port(8000).default(8000),
  LOG_LEVEL: choice(LOG_LEVELS).default("info"),
  /** Unset: one is made and kept in DATA_DIR. */
  API_KEYS: apiKeys().optional(),
  /** Where the registry's file and the key are kept. */
  DATA_DIR: text("/var/lib/openhands-remote-runtime").default(
    join(
      process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"),
      "openhands-remote-runtime",
    ),
  ),
  /** Unset: one is made and kept in DATA_DIR, so that two servers on one engine leave each other's sandboxes alone. */
  REPLICA_ID: text("local").optional(),
  /** Where clients reach this server. Unset: the host that they called. */
  PUBLIC_URL: url({ example: "https://runtime.example.com" }).optional(),
};
const schema = z.object(shape);

export type StandaloneConfig = z.output<typeof schema>;

/** Every variable that the standalone server reads. */
export const environmentNames: readonly string[] = [...Object.keys(shape), ...keyAliases.API_KEYS];

/**
 * What to say of settings that servers with a Redis read and this one does not; `undefined`: there are none. `known` are all
 * settings of those servers.
 */
export function ignoredSettings(env: Environment, known: readonly string[]): string | undefined {
  const own = new Set(environmentNames);
  const names = [...new Set(known)].filter((name) => !own.has(name) && env[name]?.trim());
  if (names.length === 0) return undefined;
  return `not read by npm start, which is one replica with its registry in a file of DATA_DIR: ${names.join(", ")}; npm run compose, or a gateway and replicas as in k8s_deploy, share a Redis`;
}

export const USAGE = `Usage: npm start -- [--host ADDRESS] [--port PORT]

  --host ADDRESS  listen on that address (HOST; default 0.0.0.0)
  --port PORT     listen on that port (PORT; default 8000)
  --help          show this

Everything else is set by environment variables: see README.md.
`;

/** Flags win over the environment. Throws ConfigError that lists everything that is wrong; `help` when that was asked for. */
export function readStandaloneConfig(argv: string[], env: Environment): StandaloneConfig | "help" {
  const flags = parseFlags(argv);
  if (flags.help) return "help";
  const given: Environment = {
    ...env,
    ...(flags.host ? { HOST: flags.host } : {}),
    ...(flags.port ? { PORT: flags.port } : {}),
  };
  return consistent(readEnvironment(schema, given, { aliases: keyAliases }));
}

function parseFlags(argv: string[]): {
  host?: string | undefined;
  port?: string | undefined;
  help?: boolean | undefined;
} {
  try {
    return parseArgs({
      args: argv,
      options: {
        host: { type: "string" },
        port: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new ConfigError(
      [`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`],
      { cause: error },
    );
  }
}
