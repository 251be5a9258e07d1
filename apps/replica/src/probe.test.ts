import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
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

function pathTo(host: string | null, now = (): number => 0): PublishedPath {
  return createPublishedPath({ host, clock: { now }, log: { warn: () => undefined } });
}

/** Takes connections, keeps them open and says nothing, as a port forwarder whose packets a firewall drops. */
async function startSilent(): Promise<
  AsyncDisposable & { port: number; connections: () => number }
> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    // Whoever has waited long enough resets it.
    socket.on("error", () => undefined).resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // Only a server on a pipe has another kind of address.
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
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

  test("is what this server's path says once a published port has stayed silent for a while", async () => {
    const own = await serve(200);
    let now = 0;
    const published = pathTo("127.0.0.1", () => now);
    await using silent = await startSilent();
    const ask = (): Promise<boolean> =>
      probeAlive(
        { ...record, urlForm: "port", hostPort: silent.port },
        {
          host: "127.0.0.1",
          port: own.port,
          wildcardBase: null,
          published,
          endpoint: undefined,
          publishedTimeoutMs: 500,
        },
        AbortSignal.timeout(10_000),
      );
    expect([await ask(), await ask(), await ask()]).toEqual([false, false, false]);
    now += 2_000;
    expect(await ask()).toBe(true);
    expect(silent.connections()).toBe(4);
    expect(own.asked).toHaveLength(4);
  });

  test("asks at the published port again once that has answered, whatever it says", async () => {
    const own = await serve(200);
    const talking = await serve(503);
    let now = 0;
    const published = pathTo("127.0.0.1", () => now);
    for (let missed = 0; missed < 2; missed += 1) published.missed(record.id, talking.port);
    now += 2_000;
    const options = { host: "127.0.0.1", port: own.port, wildcardBase: null, published };
    const portRecord = { ...record, urlForm: "port", hostPort: talking.port } as const;
    const signal = AbortSignal.timeout(10_000);
    expect(await probeAlive(portRecord, { ...options, endpoint: undefined }, signal)).toBe(false);
    expect(own.asked).toEqual([]);
    // Not the third in a row.
    expect(published.missed(record.id, talking.port)).toBe(false);
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
