import { ServiceError } from "@remote-runtime/protocol";
import type { SandboxTarget } from "./parse-sandbox-target.ts";

/** What the proxy needs of a logger; pino's is one. */
export type ProxyLog = {
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
};

/** The answer for whatever was thrown. It is logged, unless it is one by the book, e.g. that a runtime is paused. */
export function reportError(log: ProxyLog, target: SandboxTarget, thrown: unknown): ServiceError {
  const error = ServiceError.from(thrown);
  const { cause } = error;
  const fields = { runtimeId: target.id, service: target.service };
  if (error.code === "internal") log.error({ ...fields, err: cause }, error.message);
  else if (cause !== undefined) log.warn({ ...fields, reason: reasonOf(cause) }, error.message);
  return error;
}

/** Where a dial failed says nothing that its words do not. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
