import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { adminRoutes, routes, ServiceError } from "@remote-runtime/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { createClient } from "./client.ts";
import { isDialFailure } from "./dial-failure.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<string> {
  const server = createServer((request, response) => void answer(request, response));
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

function serveJson(status: number, body: unknown): Promise<string> {
  return serve((_request, response) => {
    response.writeHead(status).end(JSON.stringify(body));
  });
}

/** The error of a call that is expected to fail. */
async function errorOf(call: Promise<unknown>): Promise<ServiceError> {
  const error: unknown = await call.then(
    () => "no error",
    (reason: unknown) => reason,
  );
  if (error instanceof ServiceError) return error;
  throw new Error(`not a ServiceError: ${String(error)}`);
}

const runtime = {
  runtime_id: "r",
  id: "r",
  session_id: "a/b",
  url: "http://r",
  session_api_key: "k",
  status: "running",
  status_detail: null,
  pod_status: "ready",
  work_hosts: {},
  restart_count: 0,
  restart_reasons: [],
  container_statuses: [],
  events: [],
  pod_logs: "",
  image: "i",
  created_at: "2026-01-01T00:00:00Z",
  verdict: null,
};

describe("call()", () => {
  test("encodes parameters, sends the key and parses the answer", async () => {
    const seen: unknown[] = [];
    const baseUrl = await serve((request, response) => {
      seen.push(
        request.method,
        request.url,
        request.headers["x-api-key"],
        request.headers["x-run-id"],
      );
      response.end(JSON.stringify({ ...runtime, added_by_a_newer_version: 1 }));
    });
    const client = createClient({ baseUrl: `${baseUrl}//`, apiKey: "secret" });
    const answer = await client.call(
      "session",
      { params: { session_id: "a/b ü" } },
      { headers: { "X-Run-Id": "run" } },
    );
    expect(answer).toEqual(runtime);
    expect(seen).toEqual(["GET", "/sessions/a%2Fb%20%C3%BC", "secret", "run"]);
  });

  test("calls the operators' endpoints as well, whose names are their own", async () => {
    const seen: unknown[] = [];
    const baseUrl = await serve((request, response) => {
      seen.push(request.method, request.url);
      response.end(JSON.stringify({ replicas: [] }));
    });
    const { replicas } = await createClient({ baseUrl }).call("replicas", {});
    expect([replicas, seen]).toEqual([[], ["GET", "/replicas"]]);
    expect(Object.keys(adminRoutes).filter((name) => name in routes)).toEqual([]);
  });

  test("repeats the names of lists in the query", async () => {
    let url: string | undefined;
    const baseUrl = await serve((request, response) => {
      url = request.url;
      response.end(JSON.stringify([runtime, null]));
    });
    const call = createClient({ baseUrl }).call("sessionBatch", { query: { ids: ["a", "b,c"] } });
    expect(await call).toEqual([runtime, null]);
    expect(url).toBe("/sessions/batch?ids=a&ids=b%2Cc");
  });

  test("sends the body as JSON, and an object where there is none", async () => {
    const bodies: unknown[] = [];
    const baseUrl = await serve(async (request, response) => {
      bodies.push(request.headers["content-type"], JSON.parse(await text(request)));
      response.writeHead(201).end(JSON.stringify(runtime));
    });
    const client = createClient({ baseUrl });
    await client.call("start", { body: { image: "i" } });
    await client.call("stop", {});
    expect(bodies).toEqual(["application/json", { image: "i" }, "application/json", {}]);
  });

  test.each([
    [409, { detail: "runtime r is paused", error: "x" }, "conflict", "runtime r is paused"],
    [404, { error: "no such runtime" }, "not_found", "no such runtime"],
    [429, { detail: [{ msg: "a list" }] }, "too_many_requests", /answered with status 429$/],
    [503, "<html>", "unavailable", /answered with status 503$/],
    [307, {}, "bad_gateway", /answered with status 307$/],
  ])("throws the server's error for status %i", async (status, body, code, message) => {
    const client = createClient({ baseUrl: await serveJson(status, body) });
    const error = await errorOf(client.call("list", {}));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(isDialFailure(error)).toBe(false);
  });

  test("throws unavailable, and a dial failure, when nobody listens", async () => {
    const baseUrl = await serveJson(200, {});
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    const error = await errorOf(createClient({ baseUrl }).call("list", {}));
    expect(error.code).toBe("unavailable");
    expect(error.message).toBe(`GET /list at ${baseUrl}: cannot connect`);
    expect(isDialFailure(error)).toBe(true);
    const unknown = createClient({ baseUrl: "http://no-such-host.invalid" });
    expect(isDialFailure(await errorOf(unknown.call("list", {})))).toBe(true);
  });

  test.each([
    [
      "breaks off",
      (_request: IncomingMessage, response: ServerResponse) => void response.destroy(),
    ],
    ["is no JSON", (_request: IncomingMessage, response: ServerResponse) => void response.end("{")],
    [
      "lacks a field",
      (_request: IncomingMessage, response: ServerResponse) => void response.end("{}"),
    ],
  ])("throws bad_gateway when the answer %s", async (_what, answer) => {
    const error = await errorOf(createClient({ baseUrl: await serve(answer) }).call("list", {}));
    expect(error.code).toBe("bad_gateway");
    expect(isDialFailure(error)).toBe(false);
  });

  test("bytes() leaves the answer as it came, and throws the server's errors", async () => {
    const client = createClient({ baseUrl: await serveJson(200, { not: "a list" }) });
    expect(Buffer.from(await client.bytes("list", {})).toString()).toBe('{"not":"a list"}');
    const failing = createClient({ baseUrl: await serveJson(401, { detail: "no such key" }) });
    expect((await errorOf(failing.bytes("list", {}))).code).toBe("unauthorized");
  });

  test("throws timeout when the whole answer is not there in time", async () => {
    const baseUrl = await serve((_request, response) => void response.write("{"));
    const call = createClient({ baseUrl }).call("list", {}, { timeoutMs: 30 });
    const error = await errorOf(call);
    expect(error.code).toBe("timeout");
    expect(error.message).toBe(`GET /list at ${baseUrl} took longer than 30 ms`);
  });

  test("throws the caller's reason when the caller aborts", async () => {
    const controller = new AbortController();
    const reason = new Error("the client went away");
    const baseUrl = await serve(() => controller.abort(reason));
    const { signal } = controller;
    const client = createClient({ baseUrl });
    await expect(client.call("list", {}, { signal })).rejects.toBe(reason);
    await expect(client.call("list", {}, { signal })).rejects.toBe(reason);
  });

  test.each(["", ".", ".."])(
    "refuses the parameter %j, which would change the path",
    async (id) => {
      const client = createClient({ baseUrl: "http://localhost:1" });
      const error = await errorOf(client.call("runtime", { params: { runtime_id: id } }));
      expect(error.code).toBe("bad_request");
    },
  );
});
