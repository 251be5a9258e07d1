import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";

export type EngineRequest = {
  /** Begins messages. */
  what: string;
  method: "GET" | "POST";
  path: string;
  query: Record<string, string | number | boolean | readonly string[]>;
  /** Default 30 s. */
  deadlineMs?: number;
};

/** A call whose query dockerode does not pass on; answers what the engine says, as JSON has it. */
export function engineRequest(docker: Docker, request: EngineRequest): Promise<unknown> {
  const { what, method, path, query, deadlineMs } = request;
  const dial = (abortSignal: AbortSignal): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const statusCodes = { 200: true, 400: "bad parameter", 500: "server error" };
      docker.modem.dial(
        { method, path: `${path}?`, options: query, abortSignal, statusCodes },
        (error: unknown, answer: unknown) => {
          if (error === null || error === undefined) resolve(answer);
          else reject(error instanceof Error ? error : new Error("no answer"));
        },
      );
    });
  return engineCall(what, dial, deadlineMs);
}
