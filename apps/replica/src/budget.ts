import type { AdmissionLimits, EngineDescription } from "@remote-runtime/runtime";
import type { SandboxConfig } from "./config.ts";

/** Part of the engine's memory that runtimes may be promised together. */
const MEMORY_SHARE = 0.9;

/** What an engine can take, as far as that is not set. Pure. */
export function engineLimitsOf(
  config: Pick<SandboxConfig, "MAX_STARTING" | "MAX_RUNNING">,
  { cpus, memoryBytes }: Pick<EngineDescription, "cpus" | "memoryBytes">,
): AdmissionLimits {
  return {
    maxStarting: config.MAX_STARTING || cpus * 2,
    maxRunning: config.MAX_RUNNING || Number.MAX_SAFE_INTEGER,
    memoryBytes: memoryBytes * MEMORY_SHARE,
  };
}

/** One replica's part of what an engine can take, with `replicas` (at least 1) on it; never less than one of each. Pure. */
export function budgetOf(engine: AdmissionLimits, replicas: number): AdmissionLimits {
  return {
    maxStarting: partOf(engine.maxStarting, replicas),
    maxRunning: partOf(engine.maxRunning, replicas),
    memoryBytes: partOf(engine.memoryBytes, replicas),
  };
}

/** One replica's part of so many turns on an engine; at least one. Pure. */
export function partOf(total: number, replicas: number): number {
  return Math.max(1, Math.floor(total / replicas));
}
