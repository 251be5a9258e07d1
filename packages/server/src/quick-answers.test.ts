import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createApp } from "./app.ts";
import type { SandboxPlane } from "./dispatch.ts";
import { listen, type Listening } from "./listen.ts";
import { createLog } from "./log.ts";
import type { QuickAnswers } from "./quick-answers.ts";

const log = createLog({ name: "test", level: "silent" });
const servers: Listening[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const sandbox: SandboxPlane<true> = {
  match: ({ url }) => (url === "/sandbox" ? true : undefined),
  handle: (_request, response) => void response.end("sandbox"),
  upgrade(_request, socket, head) {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${head.toString()}`);
    socket.pipe(socket);
  },
};

/** Answers for the items a, b, c … at once; the app says that there is none. `admitted` and `answered` count. */
async function start({ graceMs = 1_000 } = {}) {
  const counts = { admitted: 0, answered: 0 };
  const quick: QuickAnswers = {
    start: "/items?id=",
    admit(headers) {
      counts.admitted += 1;
      if (headers.get("x-key") !== "key") return undefined;
      return (target) => (/=[a-z0-9]$/.test(target) ? JSON.stringify({ target }) : undefined);
    },
    observe: () => void (counts.answered += 1),
  };
  const app = createApp({ log });
  app.get("/items", (context) => context.json({ said_by: "the app" }));
  const [asked, finished] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  app.get("/slow", async (context) => {
    asked.resolve();
    await finished.promise;
    return context.text("done");
  });
  const { signal } = new AbortController();
  const options = { quick, sandbox, host: "127.0.0.1", port: 0, signal, log, graceMs };
  const server = await listen({ fetch: app.fetch, ...options });
  servers.push(server);
  return { server, counts, finish: { asked: asked.promise, now: finished.resolve } };
}

/** A connection of its own, which `ask` waits on for what comes next. */
async function open({ port }: Listening) {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  await once(socket, "connect");
  return {
    socket,
    async ask(bytes: string): Promise<string> {
      socket.write(bytes, "latin1");
      const [answer] = await once(socket, "data");
      return String(answer).replace(/^Date: .* GMT\r$/m, "Date: now\r");
    },
  };
}

const head = (first: string, ...headers: string[]): string =>
  [first, "Host: here", "X-Key: key", ...headers, "", ""].join("\r\n");
const item = (id: string, ...headers: string[]): string =>
  head(`GET /items?id=${id} HTTP/1.1`, ...headers);
const ANSWER = [
  "HTTP/1.1 200 OK",
  "Content-Type: application/json",
  "Content-Length: 24",
  "Date: now",
  "Connection: keep-alive",
  "Keep-Alive: timeout=75",
  "",
  '{"target":"/items?id=a"}',
].join("\r\n");

describe("listen() with quick answers", () => {
  test("gives the same before node:http and behind it, admitting once for the same headers", async () => {
    const { server, counts } = await start();
    const { ask } = await open(server);
    for (let times = 0; times < 3; times += 1) expect(await ask(item("a"))).toBe(ANSWER);
    expect(counts).toEqual({ admitted: 1, answered: 3 });
    expect(await ask(item("a", "X: 1"))).toBe(ANSWER);
    expect(counts).toEqual({ admitted: 2, answered: 4 });
    // From here on the connection is node:http's.
    expect(await ask(item("none"))).toContain("the app");
    for (let times = 0; times < 3; times += 1) expect(await ask(item("a"))).toBe(ANSWER);
    expect(counts).toEqual({ admitted: 7, answered: 7 });
  });

  test("leaves a wrong key, and a right one with other headers after it, to the app", async () => {
    const { server, counts } = await start();
    const { ask } = await open(server);
    expect(await ask(item("a"))).toBe(ANSWER);
    expect(await ask(item("a").replace("key\r", "kex\r"))).toContain("the app");
    expect(counts.answered).toBe(1);
  });

  test.each([
    ["another path", head("GET /nowhere HTTP/1.1"), 404],
    ["another method", head("POST /items?id=a HTTP/1.1", "Content-Length: 0"), 405],
    ["a doubled slash", head("GET //items?id=a HTTP/1.1"), 200],
    ["a sandbox", head("GET /sandbox HTTP/1.1"), 200],
    ["a body", `${item("a", "Content-Length: 3")}abc`, 200],
    ["a connection to be closed", item("a", "Connection: close"), 200],
    ["HTTP/1.0", item("a").replace("1.1", "1.0"), 200],
    ["no Host", item("a").replace("Host", "Hose"), 400],
    ["two names of one length", item("a", "Content-Length: 1", "Content-Length: 2"), 400],
    ["a length and chunks", item("a", "Content-Length: 1", "Transfer-Encoding: chunked"), 400],
    ["a folded line", item("a", "X: a", " b"), 400],
    ["garbage", "garbage\r\n\r\n", 400],
    ["a head over 64 KiB", item("x".repeat(70_000)), 431],
  ])("gives the server a connection that comes with %s", async (_what, bytes, status) => {
    const { server } = await start();
    for (const before of [0, 2]) {
      const { ask } = await open(server);
      for (let times = 0; times < before; times += 1) expect(await ask(item("a"))).toBe(ANSWER);
      expect(await ask(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  test("waits for the rest of a request, however it is cut", async () => {
    const { server } = await start();
    const whole = item("a");
    for (const place of [1, 10, whole.indexOf("\r\n") + 1, whole.length - 1]) {
      const { ask, socket } = await open(server);
      expect(await ask(item("a"))).toBe(ANSWER);
      const before = socket.bytesRead;
      socket.write(whole.slice(0, place));
      // The other connection's answer shows that the first part has been read.
      expect(await (await open(server)).ask(item("a"))).toBe(ANSWER);
      expect(socket.bytesRead).toBe(before);
      expect(await ask(whole.slice(place))).toBe(ANSWER);
    }
  });

  test("answers requests that come at once one after another", async () => {
    const { server } = await start();
    const { socket } = await open(server);
    socket.end(item("a") + item("none") + item("b", "Connection: close"));
    expect(await text(socket)).toMatch(/id=a"\}HTTP.*the app"\}HTTP.*id=b"\}$/s);
  });

  test("hands over a websocket with what came after its head", async () => {
    const { server } = await start();
    const { socket, ask } = await open(server);
    expect(await ask(item("a"))).toBe(ANSWER);
    const upgrade = ["Connection: upgrade", "Upgrade: websocket"];
    expect(await ask(`${head("GET /sandbox HTTP/1.1", ...upgrade)}early`)).toMatch(
      / 101 .*early$/s,
    );
    socket.end("late");
    expect(await text(socket)).toBe("late");
  });

  test("answers a client that closes its side after the request, and one that resets goes by", async () => {
    const { server, counts } = await start();
    const { socket } = await open(server);
    socket.end(item("a"));
    const answer = await text(socket);
    expect(answer).toContain('{"target":"/items?id=a"}');
    const [, date = ""] = /^Date: (.* GMT)\r$/m.exec(answer) ?? [];
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(60_000);
    const { socket: rude } = await open(server);
    rude.write(item("a"), () => rude.resetAndDestroy());
    await vi.waitFor(() => expect(counts.answered).toBe(2));
    expect(await (await open(server)).ask(item("a"))).toBe(ANSWER);
  });

  test("ends silent connections at once when it closes, asked before or not", async () => {
    const { server } = await start({ graceMs: 60_000 });
    const { socket: silent } = await open(server);
    const { socket, ask } = await open(server);
    expect(await ask(item("a"))).toBe(ANSWER);
    const ends = [socket, silent].map((each) => once(each.resume(), "close"));
    await server.close();
    await Promise.all(ends);
  });

  test("finishes what the app has under way when it closes", async () => {
    const { server, finish } = await start({ graceMs: 60_000 });
    const { ask } = await open(server);
    expect(await ask(item("a"))).toBe(ANSWER);
    const answer = ask(head("GET /slow HTTP/1.1"));
    await finish.asked;
    const closed = server.close();
    finish.now();
    expect(await answer).toMatch(/^HTTP\/1.1 200 .*done$/s);
    await closed;
  });
});
