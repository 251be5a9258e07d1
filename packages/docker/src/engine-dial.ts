import type { Docker } from "./create-docker.ts";

export type EngineRequest = {
  method: "GET" | "POST";
  /** Ends with `?` where there are `options`. */
  path: string;
  /** The query. */
  options?: object;
  authconfig?: object | undefined;
  abortSignal?: AbortSignal;
  isStream?: boolean;
  file?: NodeJS.ReadableStream;
  /** `true` for those that are no error. */
  statusCodes: Readonly<Record<number, true | string>>;
};

/** A request that dockerode's own methods cannot make as it is needed: with an end, or with all of its parts. */
export function dialEngine(docker: Docker, request: EngineRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, answer: unknown) => {
      if (error === null || error === undefined) resolve(answer);
      else reject(error instanceof Error ? error : new Error("no answer"));
    });
  });
}
