import { afterEach, expect, it, vi } from "vitest";
import { createDocker } from "./create-docker.ts";
import { remoteHost } from "./remote-host.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

// Addresses for documentation, which no machine has (RFC 5737, RFC 3849).
it.each([
  ["tcp://192.0.2.222:2375", "192.0.2.222"],
  ["tcp://[2001:db8::1]:2375", "[2001:db8::1]"],
  ["ssh://me@engine.invalid", "engine.invalid"],
  ["tcp://127.0.0.1:2375", undefined],
  ["tcp://localhost:2375", undefined],
  ["unix:///var/run/docker.sock", undefined],
  ["", undefined],
])("remoteHost() of DOCKER_HOST=%s is %s", async (value, expected) => {
  vi.stubEnv("DOCKER_HOST", value);
  expect(await remoteHost(createDocker())).toBe(expected);
});
