import { apiOf, type Api } from "../support/api.ts";
import { startProgram, untilHealthy, type App, type Program } from "../fault/program.ts";

/** One server of a cluster. Its address and its settings stay the same through all its lives. */
export interface Member extends AsyncDisposable {
  readonly app: App;
  /** A replica's REPLICA_ID; for a gateway just a name. */
  readonly id: string;
  readonly url: string;
  readonly api: Api;
  /** What all its lives have printed, the last MiB of each. */
  log(): string;
  /** Sends the signal to the present life, and waits for its end where the signal ends one. Default SIGKILL. */
  kill(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  /** Whether it was ended, or not yet back since its end, at any time since then, by `performance.now()`. */
  wasDownSince(atMs: number): boolean;
  /** Begins another life and waits until it answers. To be called after kill(). */
  restart(): Promise<void>;
  /** Begins another life, without waiting for anything, and gives its process. */
  begin(): Program;
}

export type MemberOptions = {
  app: App;
  id: string;
  url: string;
  key: string;
  env: Readonly<Record<string, string>>;
};

/** Starts nothing yet: `restart()` or `begin()` does. */
export function createMember({ app, id, url, key, env }: MemberOptions): Member {
  const lives: Program[] = [];
  /** When it answered again after its last end. */
  let backAt = Number.NEGATIVE_INFINITY;

  function begin(): Program {
    const program = startProgram(app, env);
    lives.push(program);
    return program;
  }

  return {
    app,
    id,
    url,
    api: apiOf({ url, key }),
    log: () => lives.map((life) => life.log()).join(""),
    async kill(signal = "SIGKILL") {
      backAt = Number.POSITIVE_INFINITY;
      lives.at(-1)?.signal(signal);
      await lives.at(-1)?.ended();
    },
    signal: (signal) => lives.at(-1)?.signal(signal),
    wasDownSince: (atMs) => backAt >= atMs,
    async restart() {
      await untilHealthy(url, begin());
      backAt = performance.now();
    },
    begin,
    async [Symbol.asyncDispose]() {
      // One that stands still ends by SIGKILL as well.
      await Promise.all(lives.map((life) => life[Symbol.asyncDispose]()));
    },
  };
}
