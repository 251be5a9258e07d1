import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { freePort } from "../fault/program.ts";
import { call } from "../support/call.ts";
import { docker } from "../support/docker.ts";
import { createComposeProject } from "./compose-project.ts";

test("the profile registry brings one that the engine pushes to with no configuration of its own, and compose.sh down takes it with the profile unset", async () => {
  await promisify(execFile)("scripts/ensure-images.sh", ["registry"], { timeout: 240_000 });
  const host = `localhost:${await freePort()}`;
  const REGISTRY_PORT = host.slice("localhost:".length);
  const project = await createComposeProject({ COMPOSE_PROFILES: "registry", REGISTRY_PORT });
  const image = `${host}/openhands/compose-test:1`;
  try {
    // Returns once its health check has succeeded.
    await project.compose(["up", "--detach", "--wait", "--wait-timeout", "60", "registry"]);
    await docker("tag", "debian:trixie-slim", image);
    await docker("push", "--quiet", image);
    expect((await call(`http://${host}/v2/_catalog`)).text).toContain("openhands/compose-test");
    await project.script(["down", "--timeout", "1"], { COMPOSE_PROFILES: "" });
    expect(await project.remains()).toEqual([]);
    expect(await docker("volume", "ls", "--quiet", "--filter", `name=${project.name}`)).toBe("");
  } finally {
    await docker("rmi", image).catch(() => undefined);
    await project.compose(["down", "--volumes"]);
  }
});
