import { once } from "node:events";
import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { call } from "../support/call.ts";
import { stubOf } from "../support/sandbox.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import type { WireRuntime } from "../support/wire-runtime.ts";

const WILDCARD = "http://sandbox.test:8000";
const SDK = {
  command: "/usr/local/bin/openhands-agent-server --port 60000",
  image_pull_policy: "IfNotPresent",
  run_as_user: 10001,
  fs_group: 10001,
};
const Seen = z.object({
  headers: z.record(z.string(), z.unknown()),
  raw_headers: z.array(z.string()),
  url: z.string(),
});
const Elsewhere = z.object({ service: z.string(), path: z.string(), url: z.string() });

let server: StubServer;
let wildcard: StubServer;
/** One runtime per form of URL; `via` is where the bytes go when its name is known to this test only. */
let path: { runtime: WireRuntime; via: undefined };
let host: { runtime: WireRuntime; via: string };
const resources = new AsyncDisposableStack();
// Also where the set-up fails half-way.
afterAll(() => resources.disposeAsync());
beforeAll(async () => {
  server = resources.use(await startStubServer());
  wildcard = resources.use(await startStubServer({ env: { RUNTIME_URL_BASE: WILDCARD } }));
  const [one, other] = await Promise.all([
    server.api.startReady(stubStart(server.image)),
    wildcard.api.startReady(stubStart(wildcard.image, SDK)),
  ]);
  path = { runtime: one, via: undefined };
  host = { runtime: other, via: wildcard.url };
});

async function openSocket(url: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

async function echoed(socket: WebSocket, message: string | Buffer): Promise<string> {
  socket.send(message);
  const [data] = await once(socket, "message", { signal: AbortSignal.timeout(10_000) });
  return String(data);
}

/** The two forms that go through this server's proxy. */
const FORMS = [{ form: "path" as const }, { form: "host" as const }];
const of = (form: "path" | "host") => (form === "path" ? path : host);

describe.concurrent.each(FORMS)("bytes through the $form form", ({ form }) => {
  const sandbox = () => stubOf(of(form).runtime, of(form).via);

  test("the API key never arrives, the application's own Authorization does", async () => {
    const { key } = form === "path" ? server : wildcard;
    const seen = Seen.parse(
      (
        await sandbox().call("/headers", {
          headers: { "X-API-Key": key, Authorization: "Bearer of-the-application" },
        })
      ).json(),
    );
    expect(seen.headers).not.toHaveProperty("x-api-key");
    expect(seen.headers["authorization"]).toBe("Bearer of-the-application");
    expect(seen.headers["x-session-api-key"]).toBe(of(form).runtime.session_api_key);
    const stolen = await sandbox().call("/headers", {
      headers: { Authorization: `Bearer ${key}` },
    });
    expect(stolen.text).not.toContain(key);
  });

  test("what is asked arrives byte for byte: encoded slashes, queries, doubled slashes, other methods", async () => {
    const seen = async (target: string): Promise<string> =>
      Seen.parse((await sandbox().call(target)).json()).url;
    expect(await seen("/headers?path=%2Fworkspace%2Fa%20b&x=%C3%A9&empty=&c=a+b")).toBe(
      "/headers?path=%2Fworkspace%2Fa%20b&x=%C3%A9&empty=&c=a+b",
    );
    expect((await sandbox().call("//alive")).status).toBe(200);
    expect((await sandbox().call("/a%2Fb/..%2f")).status).toBe(404);
    expect((await sandbox().call("/alive", { method: "HEAD" })).status).toBe(200);
    expect(
      (await sandbox().call("/echo", { method: "PUT", body: Buffer.from([0, 255, 10]) })).text,
    ).toHaveLength(3);
  });

  test("a body of 32 MiB goes there and back", async () => {
    const body = Buffer.alloc(32 * 1024 * 1024, "0123456789abcdef");
    const answer = await sandbox().call("/echo", { body });
    expect(answer.text.length).toBe(body.length);
    expect(answer.text.endsWith("abcdef")).toBe(true);
  });

  test("a websocket echoes text and bytes, also after a silence, and its close is the sandbox's", async () => {
    const { runtime, via } = of(form);
    const socket = await openSocket(`${via ?? runtime.url}/sockets/echo`, {
      Host: new URL(runtime.url).host,
    });
    expect(await echoed(socket, "hello, 世界")).toBe("hello, 世界");
    expect(await echoed(socket, "x".repeat(200_000))).toHaveLength(200_000);
    expect(await echoed(socket, "after")).toBe("after");
    socket.close(4001, "done");
    const [code] = await once(socket, "close", { signal: AbortSignal.timeout(10_000) });
    expect(code).toBe(4001);
  });

  test("events arrive one by one, not at the end", async () => {
    const { runtime, via } = of(form);
    const at: number[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    get(
      `${via ?? runtime.url}/events?count=3&interval_ms=400`,
      { agent: false, headers: { Host: new URL(runtime.url).host } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => {
          at.push(performance.now());
          text += chunk;
        });
        answer.once("end", () => resolve(text));
      },
    ).once("error", reject);
    expect((await promise).match(/data:/g)).toHaveLength(3);
    // Sent over 0.8 s; a proxy that collects them would give all of them in the same moment.
    expect((at.at(-1) ?? 0) - (at[0] ?? 0)).toBeGreaterThan(200);
  });

  test("a POST that is silent for 7 s is answered", async () => {
    // As long as a test can wait: no timeout of 5 s, a usual default, cuts it. The real ones last hours.
    const answer = await sandbox().call("/silence?seconds=7", { body: {} });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ seconds: 7 });
  });
});

describe.concurrent("URLs that clients derive", () => {
  test("path form: the replica's own address and the id, services beside it, VSCode with its base path", async () => {
    const { runtime } = path;
    const { runtime_id: id } = runtime;
    expect(runtime.url).toBe(`${server.url}/${id}/runtime`);
    expect(runtime.work_hosts).toEqual({
      [`${server.url}/${id}/work-1`]: 12000,
      [`${server.url}/${id}/work-2`]: 12001,
    });
    const seen = async (url: string) => Elsewhere.parse((await call(url)).json());
    expect(await seen(`${server.url}/${id}/work-1/a/b?c=%2F`)).toEqual({
      service: "work-1",
      path: "/a/b",
      url: "/a/b?c=%2F",
    });
    expect(await seen(`${server.url}/${id}/work-2`)).toEqual({
      service: "work-2",
      path: "/",
      url: "/",
    });
    expect(await seen(`${server.url}/${id}/vscode?tkn=t`)).toEqual({
      service: "vscode",
      path: `/${id}/vscode`,
      url: `/${id}/vscode?tkn=t`,
    });
    expect((await stubOf(runtime).environment()).env["OH_VSCODE_BASE_PATH"]).toBe(`/${id}/vscode`);
  });

  test("host form: a name for each service, in any case; other hosts and the API stay what they are", async () => {
    const { runtime } = host;
    const { runtime_id: id } = runtime;
    expect(runtime.url).toBe(`http://${id}.sandbox.test:8000`);
    expect(runtime.work_hosts).toEqual({
      [`http://work-1-${id}.sandbox.test:8000`]: 12000,
      [`http://work-2-${id}.sandbox.test:8000`]: 12001,
    });
    const at = (name: string, target: string) =>
      call(wildcard.url, { target, headers: { Host: name } });
    for (const service of ["work-1", "work-2", "vscode"]) {
      const answer = await at(`${service}-${id}.sandbox.test:8000`, "/a?b=c");
      expect(Elsewhere.parse(answer.json())).toEqual({ service, path: "/a", url: "/a?b=c" });
    }
    expect((await at(`${id.toUpperCase()}.Sandbox.Test`, "/alive")).status).toBe(200);
    // The path of an endpoint at a sandbox's host is the sandbox's.
    expect((await at(`${id}.sandbox.test:8000`, "/list")).json()).toEqual({ detail: "Not Found" });
    expect((await at(`abcdefghijklmnop.sandbox.test:8000`, "/alive")).status).toBe(404);
    expect((await at("other.test", "/health")).status).toBe(200);
    const { env } = await stubOf(runtime, wildcard.url).environment();
    expect(env).not.toHaveProperty("OH_VSCODE_BASE_PATH");
  });

  test("port form: an origin of its own for the SDK, the same after pause and resume", async () => {
    const { api, image } = server;
    const [one, two] = await Promise.all([
      api.startReady(stubStart(image, SDK)),
      api.startReady(stubStart(image, SDK)),
    ]);
    const url = new URL(one.url);
    expect(one.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(Number(url.port)).toBeGreaterThanOrEqual(20_000);
    expect(Number(url.port)).toBeLessThan(30_000);
    expect(two.url).not.toBe(one.url);
    expect((await call(`${one.url}/health`)).status).toBe(200);
    await stubOf(one).sh("echo kept > /workspace/file");
    const socket = await openSocket(`${one.url}/sockets/echo`);
    expect(await echoed(socket, "direct")).toBe("direct");
    socket.close();

    await api.pause(one.runtime_id);
    // The port is the container's own: nobody is left there who could say 503, or 404.
    const answer = () => call(`${one.url}/health`).then(String, () => "refused");
    await until(answer, (said) => said === "refused", { what: "the end of the paused one's port" });
    await api.resume(one.runtime_id);
    const again = await api.untilReady(one);
    expect(again.url).toBe(one.url);
    expect(await stubOf(one).sh("cat /workspace/file")).toBe("kept");
    expect(Object.keys(one.work_hosts)).toEqual([
      `${server.url}/${one.runtime_id}/work-1`,
      `${server.url}/${one.runtime_id}/work-2`,
    ]);
    await Promise.all([one, two].map(({ runtime_id: id }) => api.stop(id)));
  });

  test("a URL names the host that its caller used", async () => {
    const local = await call(`http://localhost:${server.port}/runtime/${path.runtime.runtime_id}`, {
      headers: { "X-API-Key": server.key, Host: `runtime.internal:${server.port}` },
    });
    expect(local.json()).toMatchObject({
      url: `http://runtime.internal:${server.port}/${path.runtime.runtime_id}/runtime`,
    });
  });

  test("a sandbox that never was is 404 with words, for websockets as well", async () => {
    const answer = await call(`${server.url}/abcdefghijklmnop/runtime/alive`);
    expect(answer.status).toBe(404);
    expect(answer.json()).toEqual({ detail: expect.any(String), error: expect.any(String) });
    await expect(openSocket(`${server.url}/abcdefghijklmnop/runtime/sockets/echo`)).rejects.toThrow(
      "404",
    );
  });
});
