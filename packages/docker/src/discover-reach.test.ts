import type { IncomingMessage } from "node:http";
import { afterEach, expect, it, vi } from "vitest";
import { createDocker } from "./create-docker.ts";
import { discoverReach } from "./discover-reach.ts";
import type { Self } from "./inspect-self.ts";
import { startStubEngine } from "./stub-engine.ts";

const self: Self = {
  containerId: "self",
  composeProject: undefined,
  composeService: undefined,
  composeNumber: undefined,
  ownNetwork: true,
  networkAddress: undefined,
  hostAddress: undefined,
  publishedPort: () => undefined,
};
/** An address for documentation, which no machine has (RFC 5737). */
const FOREIGN = "192.0.2.222";
const loopback = { kind: "published", dialHost: "127.0.0.1", bindAddress: "127.0.0.1" };

afterEach(() => {
  vi.unstubAllEnvs();
});

it("discoverReach() joins the sandbox network from a container of the engine, also when it has joined before", async () => {
  await using first = await engineWith({ gateway: FOREIGN, join: 200 });
  expect(await discoverReach(first.docker, { network: "sandboxes", self })).toEqual({
    kind: "network",
  });
  expect(first.calls).toContain('POST /networks/1/connect {"Container":"self"}');
  await using again = await engineWith({ gateway: FOREIGN, join: 403 });
  expect(await discoverReach(again.docker, { network: "sandboxes", self })).toEqual({
    kind: "network",
  });
});

it("discoverReach() takes the bridge where this machine has the network's gateway, also in a container that shares it", async () => {
  await using engine = await engineWith({ gateway: "127.0.0.1" });
  const without = { network: "sandboxes", self: undefined };
  expect(await discoverReach(engine.docker, without)).toEqual({ kind: "bridge" });
  const sharing = { network: "sandboxes", self: { ...self, ownNetwork: false } };
  expect(await discoverReach(engine.docker, sharing)).toEqual({ kind: "bridge" });
});

it("discoverReach() has ports published on loopback where the engine's bridge is elsewhere", async () => {
  await using engine = await engineWith({ gateway: FOREIGN });
  expect(await discoverReach(engine.docker, { network: "sandboxes", self: undefined })).toEqual(
    loopback,
  );
});

it("discoverReach() has ports published on every address of an engine on another machine", async () => {
  // Where this machine's engine has a bridge of the same address.
  await using engine = await engineWith({ gateway: "127.0.0.1" });
  vi.stubEnv("DOCKER_HOST", "tcp://engine.example:2375");
  const docker = createDocker();
  // Only the name of the host matters here; calls go to the stub.
  docker.modem.dial = (...call) => engine.docker.modem.dial(...call);
  expect(
    await discoverReach(docker, {
      network: "sandboxes",
      self: undefined,
      remoteHost: "engine.example",
    }),
  ).toEqual({
    kind: "published",
    dialHost: "engine.example",
    bindAddress: "0.0.0.0",
  });
});

it("discoverReach() takes what it is told, and refuses what cannot be", async () => {
  await using engine = await engineWith({ gateway: "127.0.0.1" });
  const told = (override: "bridge" | "network" | "published", own: Self | undefined) =>
    discoverReach(engine.docker, { network: "sandboxes", self: own, override });
  expect(await told("published", self)).toEqual(loopback);
  expect(await told("bridge", self)).toEqual({ kind: "bridge" });
  await expect(told("network", undefined)).rejects.toMatchObject({ code: "bad_request" });
});

async function engineWith({ gateway, join = 200 }: { gateway: string; join?: number }) {
  const calls: string[] = [];
  const network = {
    Id: "1",
    Name: "sandboxes",
    Created: "2026-01-01T00:00:00Z",
    IPAM: { Config: [{ Gateway: gateway }] },
  };
  const stub = await startStubEngine(async (request, response) => {
    calls.push(`${request.method} ${request.url} ${await textOf(request)}`);
    const joins = request.url === "/networks/1/connect";
    response.writeHead(joins ? join : 200, { "content-type": "application/json" });
    const already = { message: "endpoint with name self already exists in network sandboxes" };
    response.end(JSON.stringify(joins ? already : [network]));
  });
  return { ...stub, calls };
}

async function textOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await Array.fromAsync(request)).toString();
}
