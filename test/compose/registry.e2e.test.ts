import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { freePort } from "../fault/program.ts";
import { call } from "../support/call.ts";
import { docker } from "../support/docker.ts";
import { until } from "../support/until.ts";
import { createComposeProject } from "./compose-project.ts";

test("the profile registry brings one that the engine pushes to with no configuration of its own", async () => {
  await promisify(execFile)("scripts/ensure-images.sh", ["registry"], { timeout: 240_000 });
  const host = `localhost:${await freePort()}`;
  const REGISTRY_PORT = host.slice("localhost:".length);
  const project = await createComposeProject({ COMPOSE_PROFILES: "registry", REGISTRY_PORT });
  const image = `${host}/openhands/compose-test:1`;
  try {
    await project.compose(["up", "--detach", "registry"]);
    const catalog = async (): Promise<string> =>
      (await call(`http://${host}/v2/_catalog`).catch(() => undefined))?.text ?? "";
    await until(catalog, (text) => text.includes("repositories"));
    await docker("tag", "debian:trixie-slim", image);
    await docker("push", "--quiet", image);
    expect(await catalog()).toContain("openhands/compose-test");
  } finally {
    await docker("rmi", image).catch(() => undefined);
    await project.compose(["down", "--volumes"]);
  }
  expect(await project.remains()).toEqual([]);
});
