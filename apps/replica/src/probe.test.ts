import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { probeAlive } from "./probe.ts";

const record = { id: "abcdefghijklmnop", urlForm: "path", hostPort: null } as const;
const servers: Server[] = [];

/** A server that answers every request with that status, and keeps what it was asked. */
async function serve(status: number): Promise<{ port: number; asked: string[]; server: Server }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status).end();
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  // Only a server on a pipe has another kind of address.
  return { port: (server.address() as AddressInfo).port, asked, server };
}

function probe(ports: { own: number; agent: number | undefined }): Promise<boolean> {
  const { own, agent } = ports;
  const endpoint = agent === undefined ? undefined : { host: "127.0.0.1", port: agent };
  const options = { host: "127.0.0.1", port: own, wildcardBase: null, publishedHost: null };
  return probeAlive(record, { ...options, endpoint }, AbortSignal.timeout(10_000));
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close().closeAllConnections();
  await closed;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map(close));
});

describe("probeAlive()", () => {
  test("is what /alive on the public path says", async () => {
    const agent = await serve(200);
    const ready = await serve(200);
    const booting = await serve(503);

    expect(await probe({ own: ready.port, agent: agent.port })).toBe(true);
    expect(await probe({ own: booting.port, agent: agent.port })).toBe(false);
    expect(ready.asked).toEqual([`GET /${record.id}/runtime/alive`]);
    expect(agent.asked).toEqual([]);
  });

  test("asks nobody while the agent's port is closed", async () => {
    const own = await serve(200);
    const agent = await serve(200);
    await close(agent.server);

    expect(await probe({ own: own.port, agent: agent.port })).toBe(false);
    expect(own.asked).toEqual([]);
  });

  test("asks at a port of the sandbox's own where that can be dialled, and else through this server", async () => {
    const own = await serve(503);
    const published = await serve(200);
    const portRecord = { ...record, urlForm: "port", hostPort: published.port } as const;
    const askAt = (publishedHost: string | null): Promise<boolean> => {
      const options = { host: "127.0.0.1", port: own.port, wildcardBase: null, publishedHost };
      const signal = AbortSignal.timeout(10_000);
      return probeAlive(portRecord, { ...options, endpoint: undefined }, signal);
    };

    expect(await askAt("127.0.0.1")).toBe(true);
    expect(published.asked).toEqual(["GET /alive"]);
    expect(await askAt(null)).toBe(false);
    expect(own.asked).toEqual([`GET /${record.id}/runtime/alive`]);
  });

  test("goes by the public path alone where the agent cannot be dialled from here", async () => {
    const own = await serve(200);

    expect(await probe({ own: own.port, agent: undefined })).toBe(true);
  });
});
