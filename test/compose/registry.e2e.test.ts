import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { pruneBuildCache } from "@remote-runtime/testing";
import { expect, test } from "vitest";
import { acceptedBuild, contextOf, endedBuild } from "../build/build-client.ts";
import { freePort } from "../fault/program.ts";
import { apiOf } from "../support/api.ts";
import { docker } from "../support/docker.ts";
import { until } from "../support/until.ts";
import { createComposeProject } from "./compose-project.ts";

/** The servers' images may have to be built first. */
const DEADLINE_MS = 600_000;

test(
  "the profile registry brings one that builds are pushed to with no configuration of the engine, and compose.sh down takes it with the profile unset",
  async () => {
    await promisify(execFile)("scripts/ensure-images.sh", ["registry"], { timeout: 240_000 });
    const host = `localhost:${await freePort()}`;
    const REGISTRY_PORT = host.slice("localhost:".length);
    const REGISTRY = `${host}/openhands`;
    const profile = { COMPOSE_PROFILES: "registry", REGISTRY_PORT, REGISTRY };
    const project = await createComposeProject(profile);
    const api = apiOf(project);
    const marker = `compose-test-${randomBytes(4).toString("hex")}`;
    const image = `${REGISTRY}/${marker}:1`;
    const began = new Date(Date.now() - 1000);
    try {
      await project.script(["up"], { REPLICAS: "2" });
      const prefix = await until(
        () => api.get("/registry_prefix"),
        ({ status }) => status === 200,
        { what: "a gateway that knows its replicas" },
      );
      expect(prefix.json()).toEqual({ registry_prefix: REGISTRY });
      const Dockerfile = `FROM scratch\nCOPY word.txt /${marker}\n`;
      const context = await contextOf({ Dockerfile, "word.txt": marker });
      const { build_id, url } = await acceptedBuild(project, { context, target: image });
      expect(await endedBuild(project, build_id)).toEqual({ status: "SUCCESS", image, error: "" });

      // What the engine does not have any more, only the registry can have.
      await docker("rmi", image);
      const urls = (await project.replicas()).map((replica) => replica.url);
      expect(urls).toContain(url);
      const [other = ""] = urls.filter((each) => each !== url);
      const exists = () => apiOf({ ...project, url: other }).get(`/image_exists?image=${image}`);
      await until(exists, ({ text }) => text.includes('"exists":true'), {
        what: `${image} at the replica that has not built it`,
      });
      await docker("pull", "--quiet", image);
      await project.script(["down", "--timeout", "1"], { COMPOSE_PROFILES: "" });
      expect(await project.remains()).toEqual([]);
      expect(await docker("volume", "ls", "--quiet", "--filter", `name=${project.name}`)).toBe("");
    } finally {
      await docker("rmi", image).catch(() => undefined);
      await project.script(["down", "--timeout", "1"]);
      await pruneBuildCache(marker, began);
    }
  },
  DEADLINE_MS,
);
