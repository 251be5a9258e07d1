import type { Observed, RuntimeRecord } from "@remote-runtime/registry";
import type { Sandbox } from "./engine.ts";
import type { Loss } from "./entry.ts";
import { wasStopped } from "./was-stopped.ts";

/**
 * What is observed of a runtime once its container has been inspected; `undefined`: there is none. Pure.
 * A process that ended counts as paused where nobody knew it to run, else as exited, or lost with the engine.
 */
export function finding({
  record,
  state,
  lost,
  now,
}: {
  record: RuntimeRecord;
  state: Sandbox["state"] | undefined;
  lost: Loss;
  now: number;
}): Observed {
  const { observed } = record;
  switch (state?.kind) {
    case undefined:
      return keptFiles(record) ? REMOVED : NONE;
    case "created":
      return { state: "created" };
    case "running":
      // One that was ready was seen dead: what runs now is another process, which has to boot.
      return observed.state === "booting" ? observed : { state: "booting", since: now };
    case "exited": {
      // An engine kills what it removes, and says so first.
      if (state.removing && keptFiles(record)) return REMOVED;
      if (!ran(observed)) return { state: "paused" };
      const { exitCode, oomKilled } = state;
      if (lost === "engine_lost" && wasStopped(state)) {
        return gone("the Docker engine stopped, and its process with it");
      }
      return { state: "exited", exitCode, oomKilled };
    }
  }
}

const NONE: Observed = { state: "none" };
const REMOVED = gone("its files are gone: something else removed its container");

function gone(reason: string): Observed {
  return { state: "failed", verdict: "engine_lost", reason };
}

function ran({ state }: Observed): boolean {
  return state === "booting" || state === "ready" || state === "exited";
}

/** Before it was first ready nothing in it is worth more than a new container; a process that ran is not run twice. */
function keptFiles({ observed, readyAt }: RuntimeRecord): boolean {
  return ran(observed) || (observed.state === "paused" && readyAt !== null);
}
