import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { probeAlive } from "./probe.ts";
import { createPublishedPath, type PublishedPath } from "./published-path.ts";

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
  const options = { host: "127.0.0.1", port: own, wildcardBase: null, published: pathTo(null) };
  return probeAlive(record, { ...options, endpoint }, AbortSignal.timeout(10_000));
}

function pathTo(
  host: string | null,
  { lines = [], clock = { now: () => 0 } }: { lines?: unknown[]; clock?: { now(): number } } = {},
): PublishedPath {
  return createPublishedPath({ host, clock, log: { warn: (...line) => void lines.push(line) } });
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
    const askAt = (host: string | null): Promise<boolean> => {
      const options = {
        host: "127.0.0.1",
        port: own.port,
        wildcardBase: null,
        published: pathTo(host),
      };
      const signal = AbortSignal.timeout(10_000);
      return probeAlive(portRecord, { ...options, endpoint: undefined }, signal);
    };

    expect(await askAt("127.0.0.1")).toBe(true);
    expect(published.asked).toEqual(["GET /alive"]);
    expect(await askAt(null)).toBe(false);
    expect(own.asked).toEqual([`GET /${record.id}/runtime/alive`]);
  });

  test("goes by this server's path once published ports stay silent although that answers, and says so once", async () => {
    const own = await serve(200);
    const lines: unknown[] = [];
    let now = 0;
    const published = pathTo("127.0.0.1", { lines, clock: { now: () => now } });
    // Connections are accepted and nothing is said, as by a port forwarder whose packets a firewall drops.
    const deaf = createTcpServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(deaf, "listening");
    const silent = (deaf.address() as AddressInfo).port;
    const talking = await serve(503);
    const ask = (hostPort: number): Promise<boolean> => {
      const options = { host: "127.0.0.1", port: own.port, wildcardBase: null, published };
      const portRecord = { ...record, urlForm: "port", hostPort } as const;
      return probeAlive(
        portRecord,
        { ...options, endpoint: undefined },
        AbortSignal.timeout(10_000),
      );
    };
    try {
      expect([await ask(silent), await ask(silent)]).toEqual([false, false]);
      // One that answers, whatever it says, shows that the way is open.
      expect(await ask(talking.port)).toBe(false);
      expect([await ask(silent), await ask(silent)]).toEqual([false, false]);
      // Three in one moment may be a moment's trouble.
      expect(await ask(silent)).toBe(false);
      expect(lines).toEqual([]);
      now += 2_000;
      expect(await ask(silent)).toBe(true);
      expect(published.host()).toBeNull();
      expect(await ask(talking.port)).toBe(true);
      expect(lines).toEqual([
        [
          { url: `http://127.0.0.1:${silent}` },
          expect.stringMatching(/from now on.*open SANDBOX_PORT_RANGE/),
        ],
      ]);
    } finally {
      deaf.close();
    }
  });

  test("keeps to published ports while the sandbox answers on no path", async () => {
    const own = await serve(503);
    const gone = await serve(200);
    await close(gone.server);
    const published = pathTo("127.0.0.1");
    const options = { host: "127.0.0.1", port: own.port, wildcardBase: null, published };
    const portRecord = { ...record, urlForm: "port", hostPort: gone.port } as const;
    for (let asked = 0; asked < 5; asked += 1) {
      const signal = AbortSignal.timeout(10_000);
      expect(await probeAlive(portRecord, { ...options, endpoint: undefined }, signal)).toBe(false);
    }
    expect(published.host()).toBe("127.0.0.1");
  });

  test("goes by the public path alone where the agent cannot be dialled from here", async () => {
    const own = await serve(200);

    expect(await probe({ own: own.port, agent: undefined })).toBe(true);
  });
});
