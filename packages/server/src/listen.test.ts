import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { createApp } from "./app.ts";
import { ConfigError } from "./config-error.ts";
import type { SandboxPlane } from "./dispatch.ts";
import { createKeyring } from "./keyring.ts";
import { listen, type Listening } from "./listen.ts";
import { createLog } from "./log.ts";
import { mountRoutes } from "./mount.ts";

const log = createLog({ name: "test", level: "silent" });
const servers: Listening[] = [];
const agents: Agent[] = [];

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const nothing = z.object({});
const base = { auth: false, params: nothing, query: nothing, body: nothing, output: z.unknown() };
const routes = {
  echo: { ...base, method: "POST", path: "/echo", status: 201, body: z.looseObject({}) },
  item: {
    ...base,
    method: "GET",
    path: "/items/:id",
    status: 200,
    params: z.object({ id: z.string() }),
  },
  slow: { ...base, method: "GET", path: "/slow", status: 200 },
} as const;

/** Every path under /sandbox is a sandbox's, and its target is the method. */
const sandbox: SandboxPlane<string> = {
  match: ({ url, method }) => (url?.startsWith("/sandbox") === true ? method : undefined),
  async handle(request, response, target) {
    if (request.url === "/sandbox/throws") throw new Error("secret fault");
    if (request.headers.expect === "100-continue") response.writeContinue();
    response.end(`${target} ${request.url} ${await text(request)}`);
  },
  upgrade(request, socket, head, target) {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\n\r\n${target} ${request.url} ${head.toString()}`,
    );
    socket.pipe(socket);
  },
};

async function start({
  graceMs = 1_000,
  slow = async () => {},
  signal = new AbortController().signal,
  host = "127.0.0.1",
}: { graceMs?: number; slow?: () => Promise<void>; signal?: AbortSignal; host?: string } = {}) {
  const app = createApp({ log });
  const handlers = {
    echo: async ({ body }: { body: object }) => body,
    item: async ({ params }: { params: { id: string } }) => ({ length: params.id.length }),
    slow: async () => {
      await slow();
      return "done";
    },
  };
  mountRoutes(app, routes, handlers, { keyring: createKeyring([]) });
  const linger = { timeMs: 200, bytes: 1024 * 1024 };
  const options = { sandbox, host, port: 0, signal, log, graceMs, linger };
  const server = await listen({ fetch: app.fetch, ...options });
  servers.push(server);
  return server;
}

/** Sends bytes and answers all that comes back until the server closes the connection. */
async function exchange(server: Listening, bytes: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.write(bytes);
  return text(socket);
}

function head(target: string, ...headers: string[]): string {
  return [`GET ${target} HTTP/1.1`, "Host: here", ...headers, "", ""].join("\r\n");
}

const last = (target: string): string => head(target, "Connection: close");

describe("listen()", () => {
  test("serves the app, with URLs of 60 kB", async () => {
    const server = await start();
    const response = await fetch(`${server.url}//items/${"x".repeat(60_000)}/`);
    expect(await response.json()).toEqual({ length: 60_000 });
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  });

  test("serves on IPv6 hosts, with or without brackets", async () => {
    for (const host of ["::1", "[::1]"]) {
      const server = await start({ host });
      expect(server.url).toBe(`http://[::1]:${server.port}`);
      expect((await fetch(`${server.url}/items/1`)).status).toBe(200);
    }
  });

  test.each([
    ["a head over 64 KiB", head(`/items/${"x".repeat(70_000)}`), 431, "too large"],
    ["garbage", "garbage\r\n\r\n", 400, "not a valid HTTP request"],
    ["a dot segment", last("/items/../echo"), 400, "has a . or .. in it"],
    ["an encoded dot segment", last("/items/%2E%2e"), 400, "has a . or .. in it"],
    ["a backslash", last("/items\\1"), 400, "Backslash in request path"],
    ["no host", last("/items/1").replace("Host: here\r\n", ""), 400, "no Host"],
    ["a broken host", last("/items/1").replace("here", "a/b c"), 400, "Invalid"],
    [
      "a websocket that is no sandbox's",
      head("/items/1", "Connection: upgrade", "Upgrade: websocket"),
      404,
      "no websocket here",
    ],
  ])("answers %s with a JSON error", async (_what, bytes, status, reason) => {
    const answer = await exchange(await start(), bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const body: unknown = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
    expect(body).toHaveProperty("detail", expect.stringContaining(reason));
    expect(body).toHaveProperty("error", expect.stringContaining(reason));
  });

  test("answers an endless upload with 413 and ends the connection soon", async () => {
    const server = await start();
    const upload = httpRequest(`${server.url}/echo`, { method: "POST" });
    const closed = new Promise((resolve) => upload.once("close", resolve));
    const more = (): void => {
      if (!upload.destroyed) upload.write(Buffer.alloc(64 * 1024, " "), () => setImmediate(more));
    };
    upload.on("error", () => {
      // The end of the connection that this test waits for.
    });
    more();
    const [response] = await once(upload, "response");
    expect(response.statusCode).toBe(413);
    expect(await text(response)).toContain("larger than 4194304 bytes");
    await closed;
  });

  test("declines an offer of HTTP/2 by an ordinary answer", async () => {
    const offer = ["Connection: upgrade, http2-settings, close", "Upgrade: h2c"];
    const answer = await exchange(await start(), head("/items/abc", ...offer));
    expect(answer).toMatch(/^HTTP\/1.1 200 .*\{"length":3\}$/s);
  });

  test("serves a request with a body although it offers an upgrade", async () => {
    const bytes = head(
      "/echo",
      "Connection: upgrade, close",
      "Upgrade: websocket",
      "Content-Length: 7",
    );
    const answer = await exchange(await start(), `${bytes.replace("GET", "POST")}{"a":1}`);
    expect(answer).toMatch(/^HTTP\/1.1 201 .*\{"a":1\}$/s);
  });

  test("tells an app's client to go on where it waits with the body", async () => {
    const server = await start();
    const bytes = [
      "POST /echo HTTP/1.1",
      "Host: here",
      "Connection: close",
      "Expect: 100-continue",
      "Content-Length: 7",
      "",
      '{"a":1}',
    ].join("\r\n");
    expect(await exchange(server, bytes)).toMatch(
      /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201 .*\{"a":1\}$/s,
    );
  });
});

describe("listen() with a sandbox plane", () => {
  test("hands over requests as they are, past the app", async () => {
    const server = await start();
    expect(await exchange(server, last("/sandbox"))).toContain("GET /sandbox ");
    const dots = last("/sandbox/../%2e%2e/%zz?q=%");
    expect(await exchange(server, dots)).toContain("GET /sandbox/../%2e%2e/%zz?q=% ");
  });

  test("leaves 100 Continue to the plane", async () => {
    const server = await start();
    const upload = httpRequest(`${server.url}/sandbox/up`, {
      method: "PUT",
      headers: { Expect: "100-continue", "Content-Length": 4 },
    });
    upload.flushHeaders();
    await once(upload, "continue");
    upload.end("data");
    const [response] = await once(upload, "response");
    expect(await text(response)).toBe("PUT /sandbox/up data");
  });

  test("hands over upgraded sockets with what came after the head", async () => {
    const server = await start();
    const socket = connect(server.port, "127.0.0.1");
    socket.write(`${head("/sandbox/ws", "Connection: upgrade", "Upgrade: websocket")}early `);
    let received = "";
    socket.on("data", (chunk) => (received += chunk.toString()));
    await vi.waitFor(() => expect(received).toMatch(/^HTTP\/1.1 101 .*GET \/sandbox\/ws early $/s));
    socket.end("late");
    await once(socket, "close");
    expect(received.endsWith("early late")).toBe(true);
  });

  test("answers 500 without the reason when the plane throws", async () => {
    const server = await start();
    const response = await fetch(`${server.url}/sandbox/throws`);
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(JSON.parse(body)).toHaveProperty("detail", expect.stringContaining("internal error"));
    expect(body).not.toContain("secret");
  });
});

describe("listen() when it closes", () => {
  test("finishes what is under way, accepts nothing new and ends idle connections", async () => {
    const arrived = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const slow = async (): Promise<void> => {
      arrived.resolve();
      await finish.promise;
    };
    const server = await start({ slow, graceMs: 60_000 });
    const agent = new Agent({ keepAlive: true });
    agents.push(agent);
    const request = httpRequest(`${server.url}/slow`, { agent }).end();
    await arrived.promise;

    const closed = server.close();
    await expect(fetch(`${server.url}/items/1`)).rejects.toThrow("fetch failed");
    finish.resolve();
    const [response] = await once(request, "response");
    expect(await text(response)).toBe('"done"');
    await closed;
  });

  test("destroys after the grace what does not end by itself, websockets too", async () => {
    const stop = new AbortController();
    const arrived = Promise.withResolvers<void>();
    const slow = (): Promise<void> => {
      arrived.resolve();
      return new Promise(() => {});
    };
    const server = await start({ slow, graceMs: 20, signal: stop.signal });
    const socket = connect(server.port, "127.0.0.1");
    socket.write(head("/sandbox/ws", "Connection: upgrade", "Upgrade: websocket"));
    await once(socket, "data");
    const outcome = expect(fetch(`${server.url}/slow`)).rejects.toThrow("fetch failed");
    await arrived.promise;
    stop.abort();
    await server.close();
    await outcome;
    if (!socket.closed) await once(socket, "close");
  });
});

describe("listen() where it cannot", () => {
  test("says that the port is taken, and what to do", async () => {
    const { port } = await start();
    const again = listen({
      fetch: () => new Response(),
      host: "127.0.0.1",
      port,
      signal: new AbortController().signal,
      log,
    });
    await expect(again).rejects.toThrow(ConfigError);
    await expect(again).rejects.toThrow(
      `port ${port} on 127.0.0.1 is taken by another program: stop that one, or set PORT to a free port`,
    );
  });

  test("says that the host is no address of this machine", async () => {
    await expect(start({ host: "192.0.2.1" })).rejects.toThrow(
      "192.0.2.1 is no address of this machine: set HOST to one of its own, or to 0.0.0.0 for all",
    );
  });
});
