import { StartRequest } from "@remote-runtime/protocol";
import { createMemoryRegistry, type RuntimeRecord } from "@remote-runtime/registry";
import { exampleRecord } from "@remote-runtime/registry/testing";
import type { StartOrder } from "@remote-runtime/runtime";
import { describe, expect, test } from "vitest";
import { createHandlers, type HandlersOptions } from "./handlers.ts";

const ID = "abcdaaaaaaaaaaaa";
const CONTEXT = { owner: "alice", request: new Request("http://replica:8000/") };

const nobody: HandlersOptions["runtimes"] = {
  start: () => Promise.reject(new Error("nobody starts here")),
  stop: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  get: () => undefined,
  bySession: () => undefined,
  list: () => [],
  touch: () => undefined,
};

/** A replica with nothing in memory, as it is while it takes a runtime over; its record says already whose it is. */
async function handlersWith(
  change: Partial<RuntimeRecord>,
  runtimes: Partial<HandlersOptions["runtimes"]> = {},
  { registryIsAway = false } = {},
) {
  const registry = createMemoryRegistry({ now: () => 0 });
  const record = exampleRecord(ID, { owner: "alice", replicaId: "heir", ...change });
  await registry.putRecord(record);
  if (registryIsAway) await registry.close();
  const unused = (): never => expect.fail("no build is asked for");
  return createHandlers({
    replicaId: "heir",
    runtimes: { ...nobody, ...runtimes },
    images: { held: async () => undefined },
    published: { has: async () => false },
    prefetches: {
      give: unused,
      wants: unused,
      evicted: unused,
      view: unused,
      cancel: unused,
      close: unused,
    },
    sizes: { sum: unused },
    registry,
    addressOf: () => ({ base: "http://replica:8000", wildcardBase: null }),
    urlPolicy: "auto",
    portHost: "engine.example",
    registryPrefix: "",
    newSessionId: unused,
    version: "0.0.0",
    builds: { assertRoom: unused, submit: unused, view: unused, log: unused, close: unused },
    receive: unused,
  });
}

describe("a start", () => {
  test.each([
    ["home", "home"],
    ["<b>not a word</b>", undefined],
  ])("that a gateway has placed, saying %j, is placed for the reason %j", async (said, reason) => {
    const orders: StartOrder[] = [];
    const start = async (order: StartOrder): Promise<RuntimeRecord> => {
      orders.push(order);
      return exampleRecord(ID);
    };
    const handlers = await handlersWith({}, { start });
    const headers = { "x-runtime-placement": said, "x-runtime-unclaimed": "1" };
    const context = { owner: "alice", request: new Request("http://replica:8000/", { headers }) };
    const body = StartRequest.parse({ image: "image:1", session_id: "s" });
    await handlers.start({ params: {}, query: {}, body }, context);
    expect(orders.map(({ placement }) => placement)).toEqual([reason]);
    expect(orders.map(({ isUnclaimed }) => isUnclaimed)).toEqual([true]);
  });

  const sdk = { command: "openhands-agent-server", image_pull_policy: "IfNotPresent" };

  test.each([
    ["at the engine's host for a client that gets a port of its own", sdk, "engine.example"],
    ["left to the server for any other", {}, undefined],
  ])("has its port's host %s", async (_what, fields, portHost) => {
    const orders: StartOrder[] = [];
    const start = async (order: StartOrder): Promise<RuntimeRecord> => {
      orders.push(order);
      return exampleRecord(ID);
    };
    const handlers = await handlersWith({}, { start });
    const body = StartRequest.parse({ image: "image:1", session_id: "s", ...fields });
    await handlers.start({ params: {}, query: {}, body }, CONTEXT);
    expect(orders.map((order) => order.portHost)).toEqual([portHost]);
  });
});

test.each(["stop", "pause", "resume"] as const)(
  "%s denies no runtime that only a registry which is away could know",
  async (command) => {
    const handlers = await handlersWith({}, {}, { registryIsAway: true });
    const body = { runtime_id: ID };
    await expect(handlers[command]({ params: {}, query: {}, body }, CONTEXT)).rejects.toMatchObject(
      { code: "unavailable" },
    );
  },
);

describe("a command for a runtime that is just being taken over", () => {
  const stop = { params: {}, query: {}, body: { runtime_id: ID } };

  const ready = { state: "ready", since: 1 } as const;
  const failed = { state: "failed", verdict: "oom", reason: "killed" } as const;

  test.each([
    ["stop", ready],
    ["pause", ready],
    ["resume", ready],
    ["stop", failed],
    ["resume", failed],
  ] as const)(
    "%s says that it is to be asked again, as nothing is done with it yet: %o",
    async (command, observed) => {
      const handlers = await handlersWith({ observed });
      await expect(handlers[command](stop, CONTEXT)).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringMatching(`${ID} is being taken over; ask again`),
      });
    },
  );

  test("stop is answered with the end where that is on record already", async () => {
    const handlers = await handlersWith({ desired: "stopped", verdict: "stopped" });
    expect(await handlers.stop(stop, CONTEXT)).toMatchObject({
      runtime_id: ID,
      status: "stopped",
      verdict: "stopped",
    });
  });

  test("stop is the runtime's end once it is in memory", async () => {
    const ended = exampleRecord(ID, { owner: "alice", desired: "stopped", verdict: "stopped" });
    const handlers = await handlersWith({}, { stop: (id) => (id === ID ? ended : undefined) });
    expect(await handlers.stop(stop, CONTEXT)).toMatchObject({ status: "stopped" });
  });

  test.each([{ replicaId: "another" }, { owner: "bob" }])(
    "stop of one that is not the caller's here is unknown: %o",
    async (change) => {
      const handlers = await handlersWith(change);
      await expect(handlers.stop(stop, CONTEXT)).rejects.toMatchObject({ code: "not_found" });
    },
  );
});
