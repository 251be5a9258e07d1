import type { Observed } from "@remote-runtime/registry";
import { expect, test } from "vitest";
import type { Sandbox } from "./engine.ts";
import { finding } from "./finding.ts";
import { exampleRecord } from "./record-example.ts";

const running: Sandbox["state"] = { kind: "running" };
const stopped: Sandbox["state"] = { kind: "exited", exitCode: 143, oomKilled: false };
const crashed: Sandbox["state"] = { kind: "exited", exitCode: 1, oomKilled: false };
const removing: Sandbox["state"] = { ...stopped, exitCode: 137, removing: true };
const NOW = 9_000;

test.each<
  [Observed, number | null, Sandbox["state"] | undefined, "exited" | "engine_lost", string]
>([
  [{ state: "none" }, 2, undefined, "exited", "none"],
  [{ state: "created" }, null, undefined, "exited", "none"],
  [{ state: "paused" }, null, undefined, "exited", "none"],
  [{ state: "paused" }, 2, undefined, "exited", "failed"],
  [{ state: "booting", since: 1 }, null, undefined, "exited", "failed"],
  [{ state: "ready", since: 1 }, 2, undefined, "exited", "failed"],
  [{ state: "none" }, 2, { kind: "created" }, "exited", "created"],
  [{ state: "none" }, 2, running, "exited", "booting since 9000"],
  [{ state: "paused" }, 2, running, "exited", "booting since 9000"],
  [{ state: "booting", since: 1 }, null, running, "exited", "booting since 1"],
  [{ state: "ready", since: 1 }, 2, running, "exited", "booting since 9000"],
  [{ state: "none" }, 2, crashed, "exited", "paused"],
  [{ state: "paused" }, 2, stopped, "exited", "paused"],
  [{ state: "booting", since: 1 }, null, crashed, "exited", "exited"],
  [{ state: "ready", since: 1 }, 2, stopped, "exited", "exited"],
  [{ state: "ready", since: 1 }, 2, removing, "exited", "failed"],
  [{ state: "booting", since: 1 }, null, removing, "exited", "failed"],
  [{ state: "paused" }, 2, removing, "exited", "failed"],
  [{ state: "paused" }, null, removing, "exited", "paused"],
  [{ state: "ready", since: 1 }, 2, stopped, "engine_lost", "failed"],
  [{ state: "ready", since: 1 }, 2, crashed, "engine_lost", "exited"],
])(
  "finding() of %j, ready at %s, in a container %j (%s) is %s",
  (observed, readyAt, state, lost, expected) => {
    const record = exampleRecord({ observed, readyAt });
    const found = finding({ record, state, lost, now: NOW });
    expect("since" in found ? `${found.state} since ${found.since}` : found.state).toBe(expected);
    if (found.state === "failed") expect(found.verdict).toBe("engine_lost");
  },
);
