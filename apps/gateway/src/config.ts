import {
  buildUploadShape,
  ConfigError,
  envValue,
  LOG_LEVELS,
  readEnvironment,
  type Environment,
} from "@remote-runtime/server";
import { z } from "zod";

const { apiKeys, choice, factor, list, port, seconds, text, url } = envValue;

const shape = {
  HOST: text("0.0.0.0").default("0.0.0.0"),
  PORT: port(8000).default(8000),
  LOG_LEVEL: choice(LOG_LEVELS).default("info"),
  API_KEYS: apiKeys(),
  REDIS_URL: url({ schemes: ["redis", "rediss"], example: "redis://localhost:6379" }),
  /** `direct`: clients reach the replicas themselves. `gateway`: they reach only this server, which passes bytes on. */
  ROUTING: choice(["direct", "gateway"]).default("direct"),
  /** Where clients reach this gateway; used with ROUTING=gateway. Unset: the host that the client called. */
  PUBLIC_URL: url({ example: "https://runtime.example.com" }).optional(),
  /** The wildcard domain of the replicas; with ROUTING=gateway it leads here. */
  RUNTIME_URL_BASE: url({ example: "http://sandbox.example.com:8000" }).optional(),
  ...buildUploadShape,
  /** A replica gets no new image beyond so many times its share of all runtimes … */
  LOAD_BOUND: factor({ min: 1, max: 100, example: 1.25 }).default(1.25),
  /** … and no more starts of the images that it has, where another one can take them, beyond so many times. */
  HARD_LOAD_BOUND: factor({ min: 1, max: 100, example: 1.5 }).default(1.5),
  /** Owners of keys that may drain replicas, prefetch and pin. Unset: everybody may who has a key. */
  OPERATORS: list("ops,alice").optional(),
  /** After so long without its replica a runtime reads as failed, and its session is started anew elsewhere; 0: never. */
  REPLICA_LOST_SECONDS: seconds({ example: 300 }).default(300),
};

const schema = z.object(shape);
const keyAliases = { API_KEYS: ["ALLHANDS_API_KEY", "OPENHANDS_API_KEY", "SANDBOX_API_KEY"] };

export type GatewayConfig = z.output<typeof schema>;

/** Every variable that a gateway reads. */
export const environmentNames: readonly string[] = [...Object.keys(shape), ...keyAliases.API_KEYS];

/** Throws ConfigError that lists everything that is wrong. */
export function readGatewayConfig(env: Environment): GatewayConfig {
  // Elsewhere an empty value is none; here that would let in everybody where nobody may have been meant.
  if (env["OPERATORS"]?.trim() === "") {
    const advice =
      "name the owners of the keys, e.g. OPERATORS=ops,alice, or leave it out for everybody";
    throw new ConfigError([`OPERATORS is empty; ${advice}`]);
  }
  const config = readEnvironment(schema, env, { aliases: keyAliases });
  const { LOAD_BOUND: soft, HARD_LOAD_BOUND: hard } = config;
  if (hard >= soft) return config;
  const problem = `HARD_LOAD_BOUND=${hard} is less than LOAD_BOUND=${soft}; it must be at least as much, e.g. ${soft + 0.25}`;
  throw new ConfigError([problem]);
}
