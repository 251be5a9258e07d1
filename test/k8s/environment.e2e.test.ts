import { expect, test } from "vitest";
import { z } from "zod";
import { readText, readYaml } from "./deployment-folder.ts";
import { apps, environmentNamesOf, type App } from "./environment-names.ts";

const Compose = z.object({
  services: z.record(
    z.string(),
    z.object({ environment: z.record(z.string(), z.string().nullable()).default({}) }),
  ),
});

/** What a container has for itself, or finds out: compose must not set it. */
const ofTheContainer: Record<App, readonly string[]> = {
  gateway: ["HOST", "PORT"],
  replica: [
    "HOST",
    "PORT",
    "REPLICA_ID",
    "PUBLIC_URL",
    "PUBLIC_PORT",
    "INTERNAL_URL",
    "DOCKER_CONFIG",
    "DOCKER_HOST",
  ],
};

/** Read by clients, and by Kubernetes as a part of REDIS_URL. */
const ofOthers = ["SANDBOX_REMOTE_RUNTIME_API_URL", "REDIS_PASSWORD"];

async function composeNamesOf(app: App): Promise<string[]> {
  const { services } = Compose.parse(await readYaml("docker-compose.yml"));
  return Object.keys(services[app]?.environment ?? {});
}

async function allNames(): Promise<Set<string>> {
  const sets = await Promise.all(apps.map(environmentNamesOf));
  return new Set(sets.flatMap((names) => [...names]));
}

test.each(apps)(
  "docker-compose.yml hands every setting to the %s, and nothing else",
  async (app) => {
    const known = [...(await environmentNamesOf(app))];
    const wanted = known.filter((name) => !ofTheContainer[app].includes(name));
    expect((await composeNamesOf(app)).toSorted()).toEqual(wanted.toSorted());
  },
);

test(".env.example names only what docker-compose.yml or compose.sh reads", async () => {
  const example = await readText(".env.example");
  const names = [...example.matchAll(/^#?([A-Z][A-Z_]+)=/gm)].map(([, name = ""]) => name);
  const scripts = (await readText("docker-compose.yml")) + (await readText("scripts/compose.sh"));
  const interpolated = [...scripts.matchAll(/\$\{([A-Z_]+)[:}-]/g)].map(([, name = ""]) => name);
  const handedOn = (await Promise.all(apps.map(composeNamesOf))).flat();
  expect(names).toContain("API_KEYS");
  // Compose itself reads this one.
  const known = ["COMPOSE_PROFILES", ...interpolated, ...handedOn];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});

test("every variable in k8s_deploy/README.md exists", async () => {
  const readme = await readText("k8s_deploy/README.md");
  const names = readme.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? [];
  const known = await allNames();
  expect(names).toContain("MAX_RUNNING");
  expect(names.filter((name) => !known.has(name) && !ofOthers.includes(name))).toEqual([]);
});
