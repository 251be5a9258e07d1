import { EventEmitter, once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { createShutdown, type Shutdown } from "./shutdown.ts";

const shutdowns: Shutdown[] = [];
afterEach(() => {
  for (const shutdown of shutdowns.splice(0)) shutdown[Symbol.dispose]();
});

function start({ timeoutMs, graceMs }: { timeoutMs?: number; graceMs?: number } = {}) {
  const emitter = new EventEmitter();
  const target = Object.assign(emitter, {
    exit: (code: number) => void emitter.emit("exited", code),
  });
  const clock = { now: 0 };
  const lines: string[] = [];
  const log = {
    info: (line: string) => lines.push(line),
    error: (line: string) => lines.push(line),
  };
  const shutdown = createShutdown({
    log,
    now: () => clock.now,
    process: target,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(graceMs === undefined ? {} : { graceMs }),
  });
  shutdowns.push(shutdown);
  const exits: unknown[] = [];
  target.on("exited", (code) => exits.push(code));
  return { target, shutdown, exits, lines, clock };
}

describe("createShutdown()", () => {
  test("aborts at the first signal without exiting", () => {
    const { target, shutdown, exits } = start();
    expect(shutdown.signal.aborted).toBe(false);
    target.emit("SIGTERM", "SIGTERM");
    expect(shutdown.leaving.aborted).toBe(true);
    expect(shutdown.signal.aborted).toBe(true);
    expect(exits).toEqual([]);
  });

  test("exits at once at the second signal", () => {
    const { target, exits } = start();
    target.emit("SIGINT", "SIGINT");
    target.emit("SIGTERM", "SIGTERM");
    expect(exits).toEqual([1]);
  });

  test("takes one Ctrl-C for one signal though it comes twice, and the next one for a second", () => {
    const { target, exits, lines, clock } = start();
    target.emit("SIGINT", "SIGINT");
    target.emit("SIGINT", "SIGINT");
    expect(exits).toEqual([]);
    expect(lines).toEqual(["SIGINT: shutting down"]);
    clock.now = 600;
    target.emit("SIGINT", "SIGINT");
    expect(exits).toEqual([1]);
  });

  test("exits when the work has not ended in time", async () => {
    const { target, lines } = start({ timeoutMs: 5 });
    target.emit("SIGTERM", "SIGTERM");
    expect(await once(target, "exited")).toEqual([1]);
    expect(lines).toEqual(["SIGTERM: shutting down", "still busy 5 ms after SIGTERM: exiting"]);
  });

  test("goes on for the grace, and ends it when the work has ended", () => {
    const { target, shutdown, exits } = start({ graceMs: 60_000 });
    shutdown.finish();
    expect(shutdown.leaving.aborted).toBe(false);
    target.emit("SIGTERM", "SIGTERM");
    expect(shutdown.leaving.aborted).toBe(true);
    expect(shutdown.signal.aborted).toBe(false);
    shutdown.finish();
    expect(shutdown.signal.aborted).toBe(true);
    expect(exits).toEqual([]);
  });

  test("ends with the grace, or at a second signal, and exits at the third", async () => {
    const short = start({ graceMs: 5 });
    short.target.emit("SIGTERM", "SIGTERM");
    await once(short.shutdown.signal, "abort");
    const long = start({ graceMs: 60_000 });
    long.target.emit("SIGTERM", "SIGTERM");
    long.target.emit("SIGINT", "SIGINT");
    expect(long.shutdown.signal.aborted).toBe(true);
    expect(long.exits).toEqual([]);
    long.target.emit("SIGTERM", "SIGTERM");
    expect(long.exits).toEqual([1]);
  });

  test("leaves nothing behind when disposed", () => {
    const { target, shutdown } = start();
    shutdown[Symbol.dispose]();
    expect(target.listenerCount("SIGTERM") + target.listenerCount("SIGINT")).toBe(0);
  });
});
