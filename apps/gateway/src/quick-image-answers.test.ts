import { once } from "node:events";
import { connect } from "node:net";
import { createLog, listen } from "@remote-runtime/server";
import { expect, test } from "vitest";
import { createGatewayFixture, type GatewayFixture } from "./gateway-fixture.ts";

const CREATED_AT = Date.UTC(2026, 0, 1);

/** A gateway whose replica "one" holds python:3.12, and what it answers to raw requests on one connection. */
async function served(
  work: (ask: (...head: string[]) => Promise<string>, fixture: GatewayFixture) => Promise<void>,
  gateway = {},
): Promise<void> {
  await using fixture = await createGatewayFixture({ replicas: ["one", "two"], gateway });
  const image = { createdAt: CREATED_AT, sizeBytes: 5_000 };
  const images = new Map([["docker.io/library/python:3.12", image]]);
  await fixture.registry.publishInventory("one", images);
  await fixture.gateway.refresh();
  const server = await listen({
    fetch: fixture.gateway.app.fetch,
    quick: fixture.gateway.quick,
    host: "127.0.0.1",
    port: 0,
    signal: new AbortController().signal,
    log: createLog({ name: "test", level: "silent" }),
    graceMs: 0,
  });
  const socket = connect(server.port, "127.0.0.1");
  try {
    await work(async (...head) => {
      socket.write([...head, "", ""].join("\r\n"));
      const [answer] = await once(socket, "data");
      return String(answer);
    }, fixture);
  } finally {
    socket.destroy();
    await server.close();
  }
}

const line = (image: string): string => `GET /image_exists?image=${image} HTTP/1.1`;
const key = "X-API-Key: alice-key";

/** The app's own answer, which it gives to other forms of the same question. */
function said(url: string): string {
  const image = { upload_time: "2026-01-01T00:00:00.000Z", image_size_bytes: 5_000 };
  return JSON.stringify({ exists: true, image, url });
}

test("says of a held image what the app says, to each by the name that it uses", async () => {
  await served(async (ask, fixture) => {
    const { publicPort } = fixture.replica("one").info;
    const at = (host: string): string => `\r\n\r\n${said(`http://${host}:${publicPort}`)}`;
    for (const image of ["python:3.12", "python%3A3.12", "docker.io/library/python:3.12"]) {
      expect(await ask(line(image), "Host: a.test:80", key)).toContain(at("a.test"));
    }
    expect(await ask(line("python:3.12"), "Host: b.test", key)).toContain(at("b.test"));
    const forwarded = ["Host: a.test", "X-Forwarded-Host: c.test", "X-Forwarded-Proto: https"];
    expect(await ask(line("python:3.12"), ...forwarded, key)).toContain(at("c.test"));
    const bearer = "Authorization: Bearer bob-key";
    expect(await ask(line("python:3.12"), "Host: a.test", bearer)).toContain(at("a.test"));
    const metrics = await fixture.metrics.registry.metrics();
    const counted = 'http_request_duration_seconds_count{route="GET /image_exists",status="200"}';
    expect(metrics).toContain(`${counted} 6\n`);
    const path = "//image_exists?image=python:3.12";
    const { body } = await fixture.ask("GET", path, { headers: { host: "a.test" } });
    expect(at("a.test")).toContain(JSON.stringify(body));
  });
});

test("follows what changes between two requests on one connection", async () => {
  await served(async (ask, { registry, replica, gateway }) => {
    const head = [line("python:3.12"), "Host: a.test", key] as const;
    expect(await ask(...head)).toContain(`http://a.test:${replica("one").info.publicPort}"`);
    const image = { createdAt: CREATED_AT, sizeBytes: 7_000 };
    await registry.publishInventory("two", new Map([["docker.io/library/python:3.12", image]]));
    await registry.publishInventory("one", new Map());
    await gateway.refresh();
    const moved = await ask(...head);
    expect(moved).toContain(`http://a.test:${replica("two").info.publicPort}"`);
    expect(moved).toContain('"image_size_bytes":7000');
  });
});

test.each([
  ["a wrong key", line("python:3.12"), "X-API-Key: alice-kex", 401],
  ["no key", line("python:3.12"), "Accept: */*", 401],
  ["what is no image", line("Not%20One"), key, 400],
  ["a broken name", line("%zz"), key, 400],
  ["no name", line(""), key, 400],
  ["another parameter", line("python:3.12&a=b"), key, 200],
  ["an image that nobody is known to hold", line("other"), key, 200],
])("leaves %s to the app", async (_what, first, header, status) => {
  await served(async (ask) => {
    const right = await ask(line("python:3.12"), "Host: a.test", key);
    expect(right).toMatch(/^HTTP\/1.1 200 /);
    expect(await ask(first, "Host: a.test", header)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});
