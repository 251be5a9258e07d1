import { connect } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { createApp } from "./app.ts";
import { createKeyring } from "./keyring.ts";
import { listen, type Listening } from "./listen.ts";
import { createLog } from "./log.ts";
import { mountRoutes } from "./mount.ts";

const UNREAD_MS = 200;
const PART = new Uint8Array(64 * 1024);
const log = createLog({ name: "test", level: "silent" });
const nothing = z.object({});
const base = { method: "GET", status: 200, auth: false, params: nothing, query: nothing } as const;
const routes = {
  endless: { ...base, path: "/endless", body: nothing, output: z.unknown() },
  slow: { ...base, path: "/slow", body: nothing, output: z.unknown() },
} as const;

let server: Listening;
let sentParts: number;
let ended: PromiseWithResolvers<void>;

beforeEach(async () => {
  sentParts = 0;
  ended = Promise.withResolvers();
  const app = createApp({ log });
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        sentParts += 1;
        yield PART;
      }
    } finally {
      ended.resolve();
    }
  }
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('["first",');
    const longAfter = performance.now() + 3 * UNREAD_MS;
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(longAfter), {
      timeout: 5_000,
    });
    yield Buffer.from('"last"]');
  }
  const handlers = {
    endless: async () => ReadableStream.from(endless()),
    slow: async () => ReadableStream.from(slow()),
  };
  mountRoutes(app, routes, handlers, { keyring: createKeyring([]), unreadTimeoutMs: UNREAD_MS });
  const { signal } = new AbortController();
  server = await listen({ fetch: app.fetch, host: "127.0.0.1", port: 0, signal, log, graceMs: 0 });
});

afterEach(() => server.close());

test("limitUnread() breaks an answer off of which nothing is taken", async () => {
  const client = connect(server.port, "127.0.0.1");
  // It comes to know at the latest when it reads on.
  client.on("error", () => undefined);
  const closed = new Promise((resolve) => client.once("close", resolve));
  client.write("GET /endless HTTP/1.1\r\nHost: test\r\n\r\n");
  client.once("data", () => client.pause());
  await ended.promise;
  expect(sentParts).toBeGreaterThan(1);
  client.resume();
  await closed;
});

test("limitUnread() lets go on what is taken little by little", async () => {
  const stopping = new AbortController();
  const answer = await fetch(`${server.url}/endless`, { signal: stopping.signal });
  const reader = answer.body?.getReader();
  const until = performance.now() + 5 * UNREAD_MS;
  while (performance.now() < until) {
    expect((await reader?.read())?.done).toBe(false);
    const pause = performance.now() + UNREAD_MS / 4;
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(pause));
  }
  stopping.abort();
  await ended.promise;
});

test("limitUnread() blames no reader for a source that takes its time", async () => {
  const answer = await fetch(`${server.url}/slow`);
  expect(await answer.json()).toEqual(["first", "last"]);
  // The connection is in use as before.
  expect(await (await fetch(`${server.url}/slow`)).json()).toEqual(["first", "last"]);
});
