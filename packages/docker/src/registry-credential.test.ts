import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { registryCredential } from "./registry-credential.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "docker-config-"));
});
afterAll(() => rm(folder, { recursive: true }));

const auth = (text: string): string => Buffer.from(text).toString("base64");

it("registryCredential() finds what docker login stored for the registry of a reference", async () => {
  const configFile = await config({
    auths: {
      "https://index.docker.io/v1/": { auth: auth("hub:a:b") },
      "ghcr.io": { auth: auth("me:token") },
      "https://old.example/v2/": { auth: auth("old:one") },
      "registry.example:5000": { auth: auth("00000000:"), identitytoken: "refresh" },
    },
  });
  const of = (reference: string) => registryCredential(reference, { configFile });
  const hub = { username: "hub", password: "a:b", serveraddress: "https://index.docker.io/v1/" };
  expect(await of("python:3")).toEqual(hub);
  expect(await of("someone/image@sha256:00")).toEqual(hub);
  expect(await of("docker.io/library/python")).toEqual(hub);
  expect(await of("ghcr.io/a/b:1")).toEqual({
    username: "me",
    password: "token",
    serveraddress: "ghcr.io",
  });
  expect(await of("old.example/a")).toMatchObject({ username: "old" });
  expect(await of("registry.example:5000/a")).toMatchObject({ identitytoken: "refresh" });
  expect(await of("quay.io/a/b")).toBeUndefined();
});

it("registryCredential() takes the server's own for its registry, and only for that", async () => {
  const configFile = await config({ auths: { "r.test:5000": { auth: auth("me:token") } } });
  const own = { registry: "r.test:5000", username: "ann", password: "secret" };
  const of = (reference: string) => registryCredential(reference, { configFile, own });
  expect(await of("r.test:5000/a/b:1")).toEqual({
    username: "ann",
    password: "secret",
    serveraddress: "r.test:5000",
  });
  expect(await of("r.test/a/b:1")).toBeUndefined();
  const hub = { ...own, registry: "docker.io" };
  expect(await registryCredential("python:3", { configFile, own: hub })).toMatchObject({
    username: "ann",
    serveraddress: "https://index.docker.io/v1/",
  });
});

it("registryCredential() asks the helper of the registry before the general one", async () => {
  const configFile = await config({ credsStore: "general", credHelpers: { "ghcr.io": "special" } });
  const asked: string[] = [];
  const askHelper = async (helper: string, registry: string): Promise<string | undefined> => {
    asked.push(`${helper} ${registry}`);
    if (registry === "quay.io") return undefined;
    return JSON.stringify({
      ServerURL: registry,
      Username: registry === "ghcr.io" ? "me" : "<token>",
      Secret: "s",
    });
  };
  const of = (reference: string) => registryCredential(reference, { configFile, askHelper });
  expect(await of("ghcr.io/a/b")).toEqual({
    username: "me",
    password: "s",
    serveraddress: "ghcr.io",
  });
  expect(await of("python")).toMatchObject({ identitytoken: "s" });
  expect(await of("quay.io/a/b")).toBeUndefined();
  expect(asked).toEqual([
    "special ghcr.io",
    "general https://index.docker.io/v1/",
    "general quay.io",
  ]);
});

it("registryCredential() takes a helper without a name for none", async () => {
  const auths = { "ghcr.io": { auth: auth("me:token") } };
  const configFile = await config({ auths, credsStore: "", credHelpers: { "quay.io": "" } });
  const of = (reference: string) => registryCredential(reference, { configFile });
  expect(await of("ghcr.io/a/b")).toMatchObject({ username: "me" });
  expect(await of("quay.io/a/b")).toBeUndefined();
});

it("registryCredential() is undefined without a config file, and says which file it cannot read", async () => {
  expect(
    await registryCredential("python", { configFile: join(folder, "absent.json") }),
  ).toBeUndefined();
  const configFile = await config("no JSON");
  await expect(registryCredential("python", { configFile })).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining(configFile),
  });
});

it("registryCredential() fails when the helper that Docker is told to use is not there", async () => {
  const configFile = await config({ credsStore: "remote-runtime-absent" });
  await expect(registryCredential("python", { configFile })).rejects.toThrow(
    "docker-credential-remote-runtime-absent",
  );
});

let files = 0;
async function config(content: unknown): Promise<string> {
  files += 1;
  const file = join(folder, `${files}.json`);
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}
