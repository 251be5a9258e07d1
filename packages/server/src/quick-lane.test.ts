import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { answerQuickly, type QuickAnswers } from "./quick-answers.ts";
import { openQuickLane } from "./quick-lane.ts";

/** Says what it has of items whose id is not "none", to those with the key. */
function createQuick(): QuickAnswers {
  return {
    start: "/items?id=",
    admit(headers) {
      if (headers.get("x-key") !== "key") return undefined;
      const who = headers.get("x-who") ?? "é€";
      return (target) => (target.endsWith("none") ? undefined : JSON.stringify({ target, who }));
    },
    observe: () => undefined,
  };
}

/** A server that tells what it has read where `quick` does not answer, and how many requests it was given. */
function createEcho(quick: QuickAnswers): { server: Server; given: () => number } {
  let given = 0;
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    given += 1;
    if (answerQuickly(quick, request, response)) return;
    const { method, url, rawHeaders } = request;
    void text(request).then(
      (body) => response.end(JSON.stringify({ method, url, rawHeaders, body })),
      () => response.destroy(),
    );
  });
  return { server, given: () => given };
}

/** The same with answers of 20 kB to everybody. */
function createLargeQuick(): QuickAnswers {
  return { ...createQuick(), admit: () => (target) => target + "x".repeat(20_000) };
}

/** A new connection, on which each chunk that the client writes is read by itself. */
function enter(server: Server): { client: Duplex; socket: Duplex } {
  const [client, socket] = duplexPair();
  // What a socket has over a duplex.
  const more = { setTimeout: () => socket, destroySoon: () => void socket.end() };
  server.emit("connection", Object.assign(socket, more));
  return { client, socket };
}

/** Sends chunks, each of which is read by itself, and answers all that comes back. */
async function exchange(server: Server, chunks: readonly string[]): Promise<string> {
  const { client } = enter(server);
  let received = "";
  client.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
  const closed = new Promise((resolve) => client.once("close", resolve));
  for (const chunk of chunks) {
    if (client.writable) client.write(chunk, "latin1");
    await turn();
  }
  // Answers to bodies take some turns more.
  for (let turns = 0; turns < 5; turns += 1) await turn();
  client.end();
  await closed;
  return received.replaceAll(/^Date: .*$/gm, "Date: now");
}

const usual = ["Host: here", "X-Key: key"];
const head = (first: string, ...headers: string[]): string =>
  [first, ...headers, "", ""].join("\r\n");
const item = (id: string, ...headers: string[]): string =>
  head(`GET /items?id=${id} HTTP/1.1`, ...usual, ...headers);

const requests = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "c%2Fd").map((id) => item(id)) },
  fc.constantFrom(
    item("none"),
    item("a", "X-Who: me", "Connection: keep-alive"),
    item("a", "Connection: close"),
    item("a", "Content-Length: 3") + "abc",
    item("a", "Content-Length: 0"),
    item("a", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
    item("a", "Expect: 100-continue"),
    head("GET /items?id=a HTTP/1.1", "Host: here", "X-Key: wrong"),
    head("GET /items?id=a HTTP/1.1", "X-Key: key"),
    head("GET /items?id=a HTTP/1.0", ...usual),
    head("GET //items?id=a HTTP/1.1", ...usual),
    head("HEAD /items?id=a HTTP/1.1", ...usual),
    head("POST /items?id=a HTTP/1.1", ...usual, "Content-Length: 3") + "abc",
    head("GET /other HTTP/1.1", ...usual),
  ),
);

/** A change of one place of a text: what is there goes, something else comes. */
const edits = fc.record({
  at: fc.nat(),
  removed: fc.nat({ max: 3 }),
  added: fc.constantFrom(
    ..."\r \n \0 \t \u00e4 : ; , / % # ? & 0 9 a Z".split(" "),
    ..."|\r\n|\r\n\r\n| |\r\n |GET / HTTP/1.1\r\n".split("|"),
    ..."\r\nContent-Length: 1|\r\nContent-Length : 1|\r\nHost: there|\r\nX-Who: you".split("|"),
    ..."\r\nTransfer-Encoding: chunked|\r\nConnection: close|\r\nX-Key: key".split("|"),
  ),
});

function edited(
  original: string,
  changes: readonly { at: number; removed: number; added: string }[],
) {
  return changes.reduce((now, { at, removed, added }) => {
    const place = at % (now.length + 1);
    return now.slice(0, place) + added + now.slice(place + removed);
  }, original);
}

function cut(whole: string, places: readonly number[]): string[] {
  const sorted = places.map((place) => place % (whole.length + 1)).toSorted((a, b) => a - b);
  const chunks = [0, ...sorted].map((from, i) => whole.slice(from, sorted[i]));
  return chunks.filter((chunk) => chunk !== "");
}

/** A connection's chunks: most are one request, some are parts of one, or two, or broken. */
const conversations = fc
  .array(
    fc.record({
      request: requests,
      changes: fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        fc.array(edits, { minLength: 1, maxLength: 2 }),
      ),
      cuts: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        fc.array(fc.nat(), { maxLength: 3 }),
      ),
      joined: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((turns) => {
    const chunks: string[] = [];
    let before = "";
    for (const { request, changes, cuts, joined } of turns) {
      const whole = before + edited(request, changes);
      before = joined ? whole : "";
      if (!joined) chunks.push(...cut(whole, cuts));
    }
    return before === "" ? chunks : [...chunks, before];
  });

describe("openQuickLane()", () => {
  test("answers any bytes in any chunks as the server does without it", async () => {
    let [withLane, without] = [0, 0];
    await fc.assert(
      fc.asyncProperty(conversations, async (chunks) => {
        const quick = createQuick();
        const [plain, quicker] = [createEcho(quick), createEcho(quick)];
        openQuickLane(quicker.server, quick);
        const expected = await exchange(plain.server, chunks);
        expect(await exchange(quicker.server, chunks)).toBe(expected);
        without += plain.given();
        withLane += quicker.given();
      }),
      { numRuns: 1_000 },
    );
    // Else nothing but the server has been compared with itself.
    expect(withLane).toBeLessThan(0.8 * without);
  });

  test("stops reading where its answers are not read, and loses none", async () => {
    let answered = 0;
    const quick = { ...createLargeQuick(), observe: () => void (answered += 1) };
    const { server, given } = createEcho(quick);
    openQuickLane(server, quick);
    const { client } = enter(server);
    const ids = Array.from({ length: 30 }, (_, i) => `n${i}`);
    for (const id of ids) {
      client.write(item(id));
      await turn();
    }
    expect(answered).toBeGreaterThan(1);
    expect(answered).toBeLessThan(10);
    let received = "";
    client.on("data", (chunk: Buffer) => (received += chunk.toString()));
    await vi.waitFor(() => expect(answered).toBe(ids.length));
    client.end();
    await once(client, "close");
    expect(received.match(/n\d+(?=xxx)/g)).toEqual(ids);
    expect(received.match(/x{20000}/g)).toHaveLength(ids.length);
    expect(given()).toBe(0);
  });

  test("ends connections without a word after answers that were read late, or never", async () => {
    // More than the buffers of a connection hold.
    const size = 20_000_000;
    const quick = { ...createQuick(), admit: () => () => "x".repeat(size) };
    const timeouts = {
      headersTimeout: 300,
      keepAliveTimeout: 300,
      connectionsCheckingInterval: 10,
    };
    const server = createServer(timeouts);
    openQuickLane(server, quick);
    await listening(server, async (connectNow) => {
      const reading = connectNow();
      let [length, received] = [0, ""];
      reading.on("data", (chunk: Buffer) => {
        length += chunk.length;
        received += chunk.toString("latin1").replace(/x+/, "x");
      });
      reading.write(item("a"));
      const unread = once(server, "connection");
      connectNow().pause().write(item("a"));
      const [socket] = (await unread) as [Socket];
      await Promise.all([once(reading, "close"), once(socket, "close")]);
      expect(length).toBeGreaterThan(size);
      expect(received.match(/^HTTP.*$/gm)).toEqual(["HTTP/1.1 200 OK"]);
      expect(received).not.toContain("408");
    });
  });

  test("ends its connections after what has been answered, or at once", async () => {
    const quick = createLargeQuick();
    const { server } = createEcho(quick);
    const lane = openQuickLane(server, quick);
    const [reading, idle] = [enter(server), enter(server)];
    for (const { client } of [reading, idle]) client.write(item("a"));
    await turn();
    lane.close();
    expect(await text(reading.client)).toMatch(/x{20000}$/);
    expect(idle.socket.destroyed).toBe(false);
    lane.destroy();
    expect(idle.socket.destroyed).toBe(true);
  });

  test("ends connections that stay silent, before the first request and after one", async () => {
    const server = createServer({ headersTimeout: 50, keepAliveTimeout: 50 });
    openQuickLane(server, createQuick());
    await listening(server, async (connectNow) => {
      const [silent, asked] = [connectNow(), connectNow()];
      asked.write(item("a"));
      const startedAt = performance.now();
      await Promise.all([once(silent, "close"), once(asked, "close")]);
      expect([silent.bytesRead, asked.bytesRead > 0]).toEqual([0, true]);
      // It has been told how long it may stay, and is given a second more.
      expect(performance.now() - startedAt).toBeGreaterThan(1_000);
    });
  });

  test("leaves nothing of its own on a socket that it gives away", async () => {
    const listeners = (socket: Socket): string[] =>
      ["data", "end", "close", "timeout", "error"].map(
        (name) => `${name} ${socket.listenerCount(name)}`,
      );
    const seen: { timeout: number | undefined; listeners: string[] }[] = [];
    for (const hasLane of [false, true]) {
      const server = createServer(({ socket }, response) => {
        seen.push({ timeout: socket.timeout ?? 0, listeners: listeners(socket) });
        response.end();
      });
      if (hasLane) openQuickLane(server, createQuick());
      await listening(server, async (connectNow) => {
        const socket = connectNow();
        socket.write(hasLane ? item("a") : "");
        if (hasLane) await once(socket, "data");
        socket.write(item("none"));
        await once(socket, "data");
      });
    }
    expect(seen[1]).toEqual(seen[0]);
  });
});

/** Has the server listen until `work` is done with its connections. */
async function listening(
  server: Server,
  work: (connectNow: () => Socket) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await work(() => {
      const socket = connect(portOf(server), "127.0.0.1").resume();
      sockets.push(socket);
      return socket;
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
