import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegistryAwayError } from "@remote-runtime/image";
import { describe, expect, test } from "vitest";
import { createManifestReader } from "./manifest-reader.ts";
import { startStubEngine } from "./stub-engine.ts";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;
type Options = { user?: { username: string; password: string }; identitytoken?: string };

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const described = (letter: string, size: number) => ({ digest: digest(letter), size });
const manifest = { config: described("c", 5), layers: [described("1", 100), described("2", 20)] };
const parts = [
  { digest: digest("c"), sizeBytes: 5 },
  { digest: digest("1"), sizeBytes: 100 },
  { digest: digest("2"), sizeBytes: 20 },
];
const json = (response: ServerResponse, body: object, headers = {}): void =>
  void response.writeHead(200, headers).end(JSON.stringify(body));

/** A registry that answers so, and a reader for an engine of linux/amd64 that trusts it; `requests` are what it was asked. */
async function fixture(handle: Handle, { user, identitytoken }: Options = {}) {
  const resources = new AsyncDisposableStack();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    requests.push([method, url, headers.authorization].filter(Boolean).join(" "));
    handle(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  resources.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const host = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const { docker } = resources.use(
    await startStubEngine(({ url = "" }, response) =>
      json(response, url.includes("/version") ? { Os: "linux", Arch: "amd64" } : {}),
    ),
  );
  const folder = resources.use(await mkdtempDisposable(join(tmpdir(), "manifest-reader-")));
  const configFile = join(folder.path, "config.json");
  const auths = identitytoken === undefined ? {} : { [host]: { identitytoken } };
  await writeFile(configFile, JSON.stringify({ auths }));
  const own = user && { registry: host, ...user };
  const credentials = { configFile, own };
  const reader = createManifestReader({ docker, credentials, now: () => 0 });
  return {
    host,
    requests,
    ask: (name: string, signal = AbortSignal.timeout(10_000)) =>
      reader.parts(`${host}/${name}`, signal),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Lets in who shows a token, which it gives to everybody, or to who asks with what `isKnown` accepts. */
function withTokens(isKnown: (request: IncomingMessage) => boolean = () => true): Handle {
  return (request, response) => {
    const { url = "", headers } = request;
    if (url.startsWith("/token")) {
      if (isKnown(request)) json(response, { token: "t0ken" });
      else response.writeHead(401).end();
    } else if (headers.authorization === "Bearer t0ken") json(response, manifest);
    else {
      const realm = `http://${headers.host}/token`;
      response
        .writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s",scope="x"` })
        .end("no");
    }
  };
}

const SCOPE = "service=s&scope=repository%3Aa%2Fb%3Apull";

describe("parts()", () => {
  test("are the layers and the configuration, and what the registry allows", async () => {
    const limits = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600" };
    await using registry = await fixture((_, response) => json(response, manifest, limits));
    expect(await registry.ask("a/b:v1")).toEqual({ parts, allowance: { all: 100, left: 76 } });
    await registry.ask(`a/b@${digest("d")}`);
    expect(registry.requests).toEqual([
      "GET /v2/a/b/manifests/v1",
      `GET /v2/a/b/manifests/${digest("d")}`,
    ]);
  });

  test("are those of the engine's platform, where there are several", async () => {
    const at = (letter: string, architecture: string, variant?: string) => ({
      digest: digest(letter),
      platform: { os: architecture === "unknown" ? "unknown" : "linux", architecture, variant },
    });
    const indexes: Record<string, object[]> = {
      many: [at("a", "arm64", "v8"), at("b", "amd64", "v3"), at("d", "amd64"), at("e", "unknown")],
      variant: [at("b", "amd64", "v2")],
      other: [at("a", "arm64", "v8")],
    };
    await using registry = await fixture(({ url = "" }, response) => {
      const manifests = indexes[url.split("/").at(-1) ?? ""];
      json(response, manifests ? { manifests } : manifest);
    });
    expect((await registry.ask("a:many")).parts).toEqual(parts);
    expect(registry.requests.at(-1)).toBe(`GET /v2/a/manifests/${digest("d")}`);
    await registry.ask("a:variant");
    expect(registry.requests.at(-1)).toBe(`GET /v2/a/manifests/${digest("b")}`);
    await expect(registry.ask("a:other")).rejects.toMatchObject({
      code: "not_found",
      message: `${registry.host} has it for other platforms than linux/amd64`,
    });
  });

  test("come with a token that anybody gets; a second image spares the refusal", async () => {
    await using registry = await fixture(withTokens());
    expect((await registry.ask("a/b:1")).parts).toEqual(parts);
    await registry.ask("c:1");
    expect(registry.requests).toEqual([
      "GET /v2/a/b/manifests/1",
      `GET /token?${SCOPE}`,
      "GET /v2/a/b/manifests/1 Bearer t0ken",
      "GET /token?service=s&scope=repository%3Ac%3Apull",
      "GET /v2/c/manifests/1 Bearer t0ken",
    ]);
  });

  test("come with a token for our password, or for the token of a login", async () => {
    const user = { username: "ann", password: "p:w" };
    const basic = `Basic ${Buffer.from("ann:p:w").toString("base64")}`;
    const isAnn: Handle = withTokens(({ headers }) => headers.authorization === basic);
    await using registry = await fixture(isAnn, { user });
    expect((await registry.ask("a/b")).parts).toEqual(parts);
    expect(registry.requests[1]).toBe(`GET /token?${SCOPE} ${basic}`);
    await using stranger = await fixture(isAnn);
    await expect(stranger.ask("a/b")).rejects.toMatchObject({ code: "not_found" });
    await using login = await fixture(
      withTokens(({ method }) => method === "POST"),
      { identitytoken: "refresh" },
    );
    expect((await login.ask("a/b")).parts).toEqual(parts);
    expect(login.requests[1]).toBe("POST /token");
  });

  test("come with our password alone, where that is wanted", async () => {
    const user = { username: "ann", password: "pw" };
    const basic = `Basic ${Buffer.from("ann:pw").toString("base64")}`;
    const handle: Handle = ({ headers }, response) => {
      if (headers.authorization === basic) json(response, manifest);
      else response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    };
    await using registry = await fixture(handle, { user });
    expect((await registry.ask("a/b")).parts).toEqual(parts);
    await using stranger = await fixture(handle);
    await expect(stranger.ask("a/b")).rejects.toMatchObject({
      message: `${stranger.host} does not have it, or not for us`,
    });
  });

  test.each([
    [404, "not_found", "does not have it, or not for us"],
    [403, "not_found", "does not have it, or not for us"],
    [400, "bad_gateway", "answers 400"],
    [429, "away", "wants to be asked less (429)"],
    [503, "away", "answers 503"],
  ])("are not told by a %i", async (status, kind, words) => {
    await using registry = await fixture((_, response) => void response.writeHead(status).end());
    const error = await registry.ask("a/b").catch((problem: unknown) => problem);
    expect(error).toMatchObject({ message: `${registry.host} ${words}` });
    if (kind === "away") expect(error).toBeInstanceOf(RegistryAwayError);
    else expect(error).toMatchObject({ code: kind });
  });

  test("are not waited for longer than asked, nor read without an end", async () => {
    await using silent = await fixture(() => undefined);
    await expect(silent.ask("a", AbortSignal.timeout(30))).rejects.toMatchObject({
      message: `${silent.host} does not answer in time`,
    });
    await using endless = await fixture((_, response) => {
      response.on("error", () => undefined);
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(100_000, 32)));
        response.once("drain", write);
      };
      write();
    });
    await expect(endless.ask("a")).rejects.toMatchObject({
      message: `${endless.host} answers more than 4 MiB`,
    });
    await using odd = await fixture((_, response) => json(response, { fsLayers: [] }));
    await expect(odd.ask("a")).rejects.toMatchObject({
      message: `${odd.host} has a manifest of it that tells no sizes`,
    });
  });
});
