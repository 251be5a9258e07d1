import { expect, test } from "vitest";
import { docker } from "./docker.ts";
import { startOwnEngine } from "./own-engine.ts";
import { startOwnRegistry } from "./own-registry.ts";

test("startOwnRegistry() gives a registry for this machine's engine and for one of its own, with a password", async () => {
  await using registry = await startOwnRegistry({ user: { name: "ann", password: "it's $ecret" } });
  const { local, address } = registry;
  await using engine = await startOwnEngine({ arguments: ["--insecure-registry", address] });
  const image = `${local}/tests/own-registry:1`;
  await docker("tag", "debian:trixie-slim", image);
  try {
    await expect(docker("push", "--quiet", image)).rejects.toThrow(/no basic auth credentials/);
  } finally {
    await docker("rmi", image);
  }
  await engine.load("debian:trixie-slim");
  const there = `${address}/tests/own-registry:1`;
  await engine.docker("tag", "debian:trixie-slim", there);
  await expect(engine.docker("push", "--quiet", there)).rejects.toThrow(
    /no basic auth credentials/,
  );
}, 120_000);
