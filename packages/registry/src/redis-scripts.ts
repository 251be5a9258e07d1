import type { Redis } from "ioredis";
import { TEXT } from "./lua.ts";
import { INVENTORY_SCRIPTS } from "./redis-inventory-scripts.ts";
import { PIN_SCRIPTS } from "./redis-pin-scripts.ts";
import { RECORD_SCRIPTS } from "./redis-record-scripts.ts";
import { REPLICA_SCRIPTS } from "./redis-replica-scripts.ts";

/**
 * Steps that must not be torn apart. All keys are declared. An index is a sorted set scored by expiry: each write
 * drops what has expired from it, so it cannot grow for ever even if nobody reads it.
 */
export const SCRIPTS = {
  ...REPLICA_SCRIPTS,
  ...INVENTORY_SCRIPTS,
  ...RECORD_SCRIPTS,
  ...PIN_SCRIPTS,
  /** epoch | a new text → the text that is there */
  ensureEpoch: {
    numberOfKeys: 1,
    lua: `${TEXT}
local epoch = text(KEYS[1])
if epoch then return epoch end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`,
  },
  /** session | runtime id, the holder to replace or '' → the holder's id. What is no runtime id is no holder. */
  takeSession: {
    numberOfKeys: 1,
    lua: `${TEXT}
local holder = text(KEYS[1])
local held = holder and #holder == 16 and string.find(holder, '^[a-z]+$')
if held and holder ~= ARGV[2] then return holder end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`,
  },
} as const;

/** A client that has SCRIPTS as methods: first the keys, then the arguments. */
export type ScriptedRedis = Redis & Record<keyof typeof SCRIPTS, Script>;

type Script = (...keysThenArguments: (string | number)[]) => Promise<unknown>;
