import type { RuntimesOptions } from "@remote-runtime/runtime";
import type { SandboxConfig } from "./config.ts";

type RuntimeSettings = Pick<
  RuntimesOptions,
  "limits" | "lifetime" | "pauseGraceSeconds" | "bootTimeoutMs" | "memoryReservedBytes"
>;

const MIB = 1024 * 1024;

/** What sandboxes may use and how long they live, in the units of the life of a runtime. Pure. */
export function runtimeSettingsOf(config: SandboxConfig): RuntimeSettings {
  return {
    limits: {
      memoryBytes: config.SANDBOX_MEMORY_MIB * MIB,
      pidsLimit: config.SANDBOX_PIDS,
      wildcardBase: config.RUNTIME_URL_BASE ?? null,
      idleTimeoutSeconds: config.IDLE_TIMEOUT_SECONDS,
    },
    lifetime: {
      neverUsedMs: config.NEVER_USED_TIMEOUT_SECONDS * 1000,
      idleMs: config.IDLE_TIMEOUT_SECONDS * 1000,
      pausedMs: config.PAUSED_TIMEOUT_SECONDS * 1000,
      maxAgeMs: config.MAX_AGE_SECONDS * 1000,
    },
    pauseGraceSeconds: config.PAUSE_GRACE_SECONDS,
    bootTimeoutMs: config.BOOT_TIMEOUT_SECONDS * 1000,
    memoryReservedBytes: config.SANDBOX_RESERVED_MEMORY_MIB * MIB,
  };
}
