import { createServer } from "node:http";
import { once } from "node:events";
import { inspect } from "node:util";
import { afterEach, expect, it, vi } from "vitest";
import { createDocker, engineAddress, engineHost } from "./create-docker.ts";
import { startStubEngine } from "./stub-engine.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

it("createDocker() uses one connection for calls in a row", async () => {
  const sockets = new Set<unknown>();
  await using stub = await startStubEngine((request, response) => {
    sockets.add(request.socket);
    response.end("OK");
  });
  for (let call = 0; call < 5; call += 1) await stub.docker.ping();
  expect(sockets.size).toBe(1);
});

it("createDocker() goes where DOCKER_HOST says", async () => {
  await using stub = await startStubEngine((_request, response) => response.end("OK"));
  vi.stubEnv("DOCKER_HOST", `unix://${stub.socketPath}`);
  const docker = createDocker();
  expect(String(await docker.ping())).toBe("OK");
  expect(engineHost(docker)).toBeUndefined();
  expect(engineAddress(docker)).toBe(stub.socketPath);
  vi.stubEnv("DOCKER_HOST", "");
  expect(engineAddress(createDocker())).toBe("the local socket");
});

it("createDocker() reaches an engine over TCP, and engineHost() names it", async () => {
  const server = createServer((_request, response) => response.end("OK")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  vi.stubEnv("DOCKER_HOST", `tcp://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  const docker = createDocker();
  expect(String(await docker.ping())).toBe("OK");
  expect(engineHost(docker)).toBe("127.0.0.1");
  expect(`tcp://${engineAddress(docker)}`).toBe(process.env["DOCKER_HOST"]);
  server.closeAllConnections();
  server.close();
});

it("createDocker() prefers the socket that it is given", async () => {
  await using stub = await startStubEngine((_request, response) => response.end("OK"));
  vi.stubEnv("DOCKER_HOST", "tcp://127.0.0.1:1");
  const docker = createDocker({ socketPath: stub.socketPath });
  expect(String(await docker.ping())).toBe("OK");
  expect(engineHost(docker)).toBeUndefined();
});

it("createDocker() does not have every open socket written out for a debug log at each call", async () => {
  await using stub = await startStubEngine((_request, response) => response.end("OK"));
  await Promise.all(Array.from({ length: 8 }, () => stub.docker.ping()));
  const agent: unknown = Reflect.get(stub.docker.modem, "agent");
  expect(inspect({ agent }, { showHidden: true, depth: null }).length).toBeLessThan(100);
});
