import { expect, test } from "vitest";
import { readReplicaConfig } from "./config.ts";
import { credentialSourceOf, registryPrefixOf } from "./registry-setting.ts";

const read = (more: Record<string, string>) =>
  readReplicaConfig({ API_KEYS: "key", REDIS_URL: "redis://localhost", ...more });

test("REGISTRY is a host, with a port and a folder if need be, and the prefix of what clients build", () => {
  for (const REGISTRY of ["registry.example.com", "localhost:5000/team", "docker.io/me"]) {
    expect(registryPrefixOf(read({ REGISTRY }))).toBe(REGISTRY);
  }
  expect(registryPrefixOf(read({}))).toBe("localhost/openhands");
  const REGISTRY_PREFIX = "r.test/team";
  expect(registryPrefixOf(read({ REGISTRY: "r.test", REGISTRY_PREFIX }))).toBe(REGISTRY_PREFIX);
});

test("REGISTRY_MIRRORS maps registries to where their images are asked for first", () => {
  const REGISTRY_MIRRORS = "docker.io=m.test, ghcr.io = m.test:5000/ghcr";
  expect(read({ REGISTRY_MIRRORS }).REGISTRY_MIRRORS).toEqual([
    { registry: "docker.io", folder: "m.test" },
    { registry: "ghcr.io", folder: "m.test:5000/ghcr" },
  ]);
  expect(read({}).REGISTRY_MIRRORS).toEqual([]);
});

test.each([
  [{ REGISTRY_MIRRORS: "docker.io" }, /entry 1 has the mirror ""/],
  [{ REGISTRY_MIRRORS: "docker.io=m.test,docker.io/library=m.test" }, /entry 2 has the registry/],
  [{ REGISTRY_MIRRORS: "docker.io=https://m.test" }, /without http:\/\//],
  [{ REGISTRY: "http://registry.example.com" }, /without http:\/\//],
  [{ REGISTRY: "openhands" }, /no registry's host: one has a dot or a port, e\.g\. REGISTRY=/],
  [{ REGISTRY: "r.test/Team" }, /upper-case/],
  [{ REGISTRY: "r.test/a", REGISTRY_PREFIX: "r.test/ab" }, /let it begin with r\.test\/a\/$/m],
  [{ REGISTRY: "r.test", REGISTRY_USERNAME: "ann" }, /REGISTRY_USERNAME needs REGISTRY_PASSWORD/],
  [{ REGISTRY_USERNAME: "ann", REGISTRY_PASSWORD: "secret" }, /need REGISTRY, whose they are/],
])("%j is refused with what is wrong", (env, problem) => {
  expect(() => read(env)).toThrow(problem);
});

test("REGISTRY_PASSWORD is never shown", () => {
  let message = "";
  try {
    read({ REGISTRY: "r.test/Team", REGISTRY_USERNAME: "ann", REGISTRY_PASSWORD: "hush" });
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain("upper-case");
  expect(message).not.toContain("hush");
});

test("credentialSourceOf() is the credential for REGISTRY's host, and where Docker keeps the others", () => {
  const env = { REGISTRY: "r.test:5000/team", REGISTRY_USERNAME: "ann", REGISTRY_PASSWORD: "hush" };
  const own = { registry: "r.test:5000", username: "ann", password: "hush" };
  expect(credentialSourceOf(read(env))).toEqual({ own });
  expect(credentialSourceOf(read({ REGISTRY: "r.test" }))).toEqual({});
  const DOCKER_CONFIG = "/run/docker";
  const configFile = "/run/docker/config.json";
  expect(credentialSourceOf(read({ DOCKER_CONFIG }))).toEqual({ configFile });
  expect(credentialSourceOf(read({ ...env, DOCKER_CONFIG }))).toEqual({ configFile, own });
});
