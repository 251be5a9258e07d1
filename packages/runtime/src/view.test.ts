import { RuntimeObject, type Dialect } from "@remote-runtime/protocol";
import type { Observed, RuntimeRecord } from "@remote-runtime/registry";
import { describe, expect, test } from "vitest";
import { exampleRecord } from "./record-example.ts";
import { holdsCompute, isLive, viewOf } from "./view.ts";

const address = { base: "http://server:8000", wildcardBase: null };
const view = (overrides: Partial<RuntimeRecord>, options = {}): RuntimeObject =>
  viewOf(exampleRecord(overrides), address, options);
const ofDialect = (dialect: Dialect): Pick<RuntimeRecord, "spec"> => ({
  spec: { ...exampleRecord().spec, dialect },
});
const booting: Observed = { state: "booting", since: 0 };
const failed: Observed = {
  state: "failed",
  verdict: "exited",
  reason: "the command ended with exit code 3",
};

describe("viewOf()", () => {
  test("has every key of the canonical object, none of them null but the two that may be", () => {
    const shown = view({});
    expect(RuntimeObject.parse(shown)).toEqual(shown);
    const nulls = Object.entries(shown).filter(([, value]) => value === null);
    expect(nulls.map(([key]) => key)).toEqual(["status_detail", "verdict"]);
  });

  test.each([
    ["v1-sdk", booting, "starting", "Pending"],
    ["v1-app", booting, "starting", "Pending"],
    // These attach to `running` only, and take their readiness from pod_status.
    ["v0", booting, "running", "Pending"],
    ["v0-old", booting, "running", "Pending"],
    ["skyrl", booting, "running", "pending"],
    ["v0", { state: "ready", since: 1 }, "running", "Ready"],
    ["v1-sdk", { state: "ready", since: 1 }, "running", "Ready"],
    ["skyrl", { state: "ready", since: 1 }, "running", "running"],
    // Not yet an error: its verdict and its log are still to come.
    ["v1-sdk", { state: "exited", exitCode: 3, oomKilled: false }, "starting", "Pending"],
    ["v0", failed, "error", "Failed"],
    ["skyrl", failed, "error", "failed"],
  ] as const)(
    "says to %s of %o: status %s, pod_status %s",
    (dialect, observed, status, podStatus) => {
      expect(view({ ...ofDialect(dialect), observed })).toMatchObject({
        status,
        pod_status: podStatus,
      });
    },
  );

  test("says the truth in /list, where each running entry counts", () => {
    expect(view({ ...ofDialect("v0"), observed: booting }, { truthful: true }).status).toBe(
      "starting",
    );
  });

  test("keeps url and key of a paused runtime, which clients read before they resume", () => {
    const shown = view({ desired: "paused", observed: { state: "paused" } });
    expect(shown).toMatchObject({
      status: "paused",
      pod_status: "Not Found",
      session_api_key: "key",
    });
    expect(shown.url).toBe("http://server:8000/abcdefghijklmnop/runtime");
  });

  test("does not tell a container that is about to end as ready", () => {
    const observed: Observed = { state: "ready", since: 1 };
    const states = (["running", "paused", "stopped"] as const).map(
      (desired) => view({ desired, observed }).container_statuses,
    );
    expect(states).toMatchObject([
      [{ ready: true, state: "running" }],
      [{ ready: false, state: "paused" }],
      [{ ready: false, state: "stopped" }],
    ]);
  });

  test("names lack of memory by the word that clients look for", () => {
    const reason = "killed for lack of memory (OOMKilled)";
    const shown = view({ observed: { state: "failed", verdict: "oom", reason }, verdict: "oom" });
    expect(shown).toMatchObject({
      pod_status: "CrashLoopBackOff",
      status_detail: reason,
      verdict: "oom",
    });
  });

  test("says where in the line it waits, and why", () => {
    const observed: Observed = { state: "queued", position: 7, reason: "4 others are starting" };
    expect(view({ observed }).status_detail).toBe("queued at position 7: 4 others are starting");
  });

  test("says why the last try failed, until the next one succeeds", () => {
    const retry = { at: 1, reason: "Retry", message: "the Docker engine does not answer" };
    const waiting = view({ observed: { state: "none" }, events: [retry] });
    expect(waiting.status_detail).toBe("the Docker engine does not answer");
    const created = { at: 2, reason: "Created", message: "container created" };
    const goesOn = view({ observed: { state: "created" }, events: [retry, created] });
    expect(goesOn.status_detail).toBe("the container is starting");
  });
});

test("holdsCompute() and isLive() tell what /list shows from what /start gives back", () => {
  const paused = exampleRecord({ desired: "paused", observed: { state: "paused" } });
  expect([holdsCompute(paused), isLive(paused)]).toEqual([false, true]);
  const ended = exampleRecord({ desired: "stopped" });
  expect([holdsCompute(ended), isLive(ended)]).toEqual([false, false]);
  const error = exampleRecord({ observed: failed });
  expect([holdsCompute(error), isLive(error)]).toEqual([false, false]);
});
