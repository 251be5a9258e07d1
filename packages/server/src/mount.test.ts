import { type Route, ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type App, createApp } from "./app.ts";
import { createKeyring } from "./keyring.ts";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { mountRoutes } from "./mount.ts";

const nothing = z.object({});
const routes = {
  open: {
    method: "GET",
    path: "/open",
    status: 200,
    auth: false,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.object({ owner: z.string() }),
  },
  many: {
    method: "GET",
    path: "/items/many",
    status: 200,
    auth: true,
    params: nothing,
    query: z.object({ ids: z.array(z.string()) }),
    body: nothing,
    output: z.array(z.string()),
  },
  one: {
    method: "GET",
    path: "/items/:id",
    status: 200,
    auth: true,
    params: z.object({ id: z.string() }),
    query: nothing,
    body: nothing,
    output: z.object({ id: z.string(), owner: z.string() }),
  },
  start: {
    method: "POST",
    path: "/start",
    status: 201,
    auth: true,
    params: nothing,
    query: nothing,
    body: z.object({
      image: z.string().optional(),
      command: z.union([z.string(), z.array(z.string())]).nullish(),
    }),
    output: z.object({ image: z.string() }),
  },
  stream: {
    method: "GET",
    path: "/stream",
    status: 200,
    auth: false,
    params: nothing,
    query: nothing,
    body: nothing,
    output: z.array(z.string()),
  },
  fail: {
    method: "POST",
    path: "/fail",
    status: 200,
    auth: false,
    params: nothing,
    query: nothing,
    body: z.object({ image: z.string() }),
    output: nothing,
  },
} as const satisfies Record<string, Route>;

function build(failure?: unknown) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const metrics = createMetrics();
  const app = createApp({
    log: createLog({ name: "test", pretty: false, destination }),
    metrics,
    newRequestId: () => "request-1",
  });
  mountRoutes(
    app,
    routes,
    {
      open: async (_input, { owner }) => ({ owner }),
      many: async ({ query }) => query.ids,
      one: async ({ params }, { owner }) => ({ id: params.id, owner }),
      start: async ({ body }) => ({ image: body.image ?? "none" }),
      stream: async () => ReadableStream.from(['["a",', '"ü"]'].map((part) => Buffer.from(part))),
      fail: async () => {
        throw failure;
      },
    },
    {
      keyring: createKeyring([{ name: "alice", key: "secret" }]),
      bodyLimitBytes: 100,
      bodyTimeoutMs: 20,
    },
  );
  return { app, lines, metrics };
}

const key = { "X-API-Key": "secret" };

async function get(app: App, path: string, headers: Record<string, string> = key) {
  const response = await app.request(path, { headers });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

async function post(
  app: App,
  path: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Record<string, string> = key,
) {
  const init: RequestInit = { method: "POST", body, headers, duplex: "half" };
  const response = await app.request(path, init);
  return { status: response.status, body: await response.json() };
}

function failure(text: string) {
  return { detail: text, error: text };
}

describe("mountRoutes()", () => {
  test("hands over parsed input and the owner, and answers with the route's status", async () => {
    const { app } = build();
    expect(await get(app, "/items/a%2Fb%20%3F")).toMatchObject({
      status: 200,
      body: { id: "a/b ?", owner: "alice" },
    });
    expect((await get(app, "/items/many?ids=a&ids=b+c&ids=%C3%BC")).body).toEqual([
      "a",
      "b c",
      "ü",
    ]);
    expect(await post(app, "/start", '{"image":"i","unknown":1}')).toEqual({
      status: 201,
      body: { image: "i" },
    });
  });

  test("sends a stream as the JSON that it is", async () => {
    const { status, body, headers } = await get(build().app, "/stream");
    expect([status, body, headers.get("content-type")]).toEqual([
      200,
      ["a", "ü"],
      "application/json",
    ]);
  });

  test("wants a key where the route does, before it looks at the input", async () => {
    const { app } = build();
    expect((await get(app, "/open", {})).body).toEqual({ owner: "" });
    const missing = await post(app, "/start", "{", {});
    expect(missing.status).toBe(401);
    expect(missing.body).toEqual(
      failure("no API key: send one of this server's keys in the header X-API-Key"),
    );
    const wrong = await get(app, "/items/1", { "X-API-Key": "secre" });
    expect(wrong.status).toBe(401);
    expect(wrong.body).toHaveProperty("detail", expect.stringContaining("wrong API key"));
    expect((await get(app, "/items/1", { Authorization: "bearer secret" })).status).toBe(200);
  });

  test("reads JSON whatever its content type, and an empty body as {}", async () => {
    const { app } = build();
    const form = { ...key, "Content-Type": "application/x-www-form-urlencoded" };
    expect((await post(app, "/start", '\ufeff {"image":"i"} ', form)).body).toEqual({ image: "i" });
    for (const body of ["", " \n"]) expect((await post(app, "/start", body)).status).toBe(201);
    expect((await app.request("/start", { method: "POST", headers: key })).status).toBe(201);
  });

  test.each([
    ["{", "the body is not JSON"],
    ["image=x", "the body is not JSON"],
    ["[]", "the body must be a JSON object"],
    ["null", "the body must be a JSON object"],
    [new Uint8Array([0x7b, 0xff, 0x7d]), "the body is not UTF-8 text"],
    ["[".repeat(100), "the body is not JSON"],
    ['{"image":1}', "image: expected a string, got a number"],
    ['{"command":1}', "command: expected a string or a list, got a number"],
  ])("refuses the body %j with 400 and the reason", async (body, reason) => {
    const answer = await post(build().app, "/start", body);
    expect(answer.status).toBe(400);
    expect(answer.body).toHaveProperty("detail", expect.stringContaining(reason));
    expect(answer.body).toHaveProperty("error", expect.stringContaining(reason));
  });

  test("refuses a body over the limit with 413, with and without a declared length", async () => {
    const { app } = build();
    const large = `{"image":"${"x".repeat(100)}"}`;
    const declared = await post(app, "/start", large, { ...key, "Content-Length": "112" });
    expect(declared.status).toBe(413);
    expect(declared.body).toEqual(failure("the body is larger than 100 bytes"));
    expect((await post(app, "/start", large)).status).toBe(413);
  });

  test("refuses a body that does not arrive in time, or breaks off", async () => {
    const { app } = build();
    const never = await post(app, "/start", new ReadableStream());
    expect(never.body).toEqual(failure("the body did not arrive within 20 ms"));
    const broken = new ReadableStream({
      start: (controller) => controller.error(new Error("reset")),
    });
    expect((await post(app, "/start", broken)).body).toEqual(
      failure("the body ended before it was complete"),
    );
  });
});

describe("createApp()", () => {
  test("accepts doubled and trailing slashes without a redirect", async () => {
    const { app } = build();
    for (const path of ["//items/1", "/items//1", "/items/1/", "///items///1//?q=//"]) {
      expect(await get(app, path), path).toMatchObject({ status: 200, body: { id: "1" } });
    }
  });

  test("answers an unknown path with 404 and a wrong method with 405 and Allow", async () => {
    const { app } = build();
    app.get("/start", (context) => context.text("added by the app"));
    expect(await get(app, "/nowhere")).toMatchObject({
      status: 404,
      body: failure("no endpoint GET /nowhere"),
    });
    expect((await get(app, "/items")).status).toBe(404);
    expect((await get(app, "/constructor")).status).toBe(404);
    const response = await app.request("/items/1", { method: "DELETE" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
    expect(await response.json()).toEqual(failure("/items/1 takes GET or HEAD, not DELETE"));
    const own = await app.request("/start", { method: "PUT" });
    expect(own.headers.get("allow")).toBe("GET, HEAD, POST");
  });

  test.each(["/items/%", "/items/%zz", "/items/%ff", "/items/1?q=%e0%a4"])(
    "answers %s with 400",
    async (path) => {
      expect(await get(build().app, path)).toMatchObject({
        status: 400,
        body: failure("the URL has a broken percent-encoding"),
      });
    },
  );

  test("answers a ServiceError with its status and text", async () => {
    const { app, lines } = build(new ServiceError("conflict", "runtime a is paused"));
    expect(await post(app, "/fail", '{"image":"i"}')).toEqual({
      status: 409,
      body: failure("runtime a is paused"),
    });
    expect(lines).toEqual([]);
  });

  test("says when to come again to whoever comes when all is full", async () => {
    const { app } = build(new ServiceError("too_many_requests", "all is full"));
    const answer = await app.request("/fail", {
      method: "POST",
      headers: { "x-api-key": "alice-key", "content-type": "application/json" },
      body: '{"image":"i"}',
    });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "10"]);
  });

  test("answers anything else with 500 and a request id that the log repeats with the cause", async () => {
    const { app, lines } = build(new TypeError("password is hunter2"));
    const answer = await post(app, "/fail", '{"image":"i"}');
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual(
      failure("internal error; the server's log has the cause under request id request-1"),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("hunter2");
    expect(lines[0]).toContain("request-1");
  });

  test("counts requests by route pattern and status", async () => {
    const { app, metrics } = build();
    await get(app, "/items/secret-id");
    await get(app, "/items/many?ids=1");
    await get(app, "/secret-path");
    await get(app, "/items/%");
    const text = await metrics.registry.metrics();
    for (const labels of [
      'route="GET /items/:id",status="200"',
      'route="GET /items/many",status="200"',
      'route="unmatched",status="404"',
      'route="unmatched",status="400"',
    ]) {
      expect(text).toContain(`http_request_duration_seconds_count{${labels}} 1`);
    }
    expect(text).not.toContain("secret");
  });
});
