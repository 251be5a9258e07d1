import { expect, test } from "vitest";
import { engineRegistries } from "./engine-registries.ts";
import { startStubEngine } from "./stub-engine.ts";

test("engineRegistries() are plain where the engine trusts them so, and on loopback", async () => {
  const info = {
    RegistryConfig: {
      InsecureRegistryCIDRs: ["10.1.0.0/16"],
      IndexConfigs: { "docker.io": { Secure: true }, "r.test:5000": { Secure: false } },
    },
  };
  await using engine = await startStubEngine(({ url = "" }, response) => {
    const version = { Os: "linux", Arch: "arm64" };
    response.end(JSON.stringify(url.includes("/version") ? version : info));
  });
  const { platform, isPlain } = await engineRegistries(engine.docker);
  expect(platform).toEqual({ os: "linux", architecture: "arm64" });
  const plain = ["r.test:5000", "10.1.2.3:80", "127.9.0.1:5000", "localhost:5000", "[::1]:5000"];
  expect(plain.filter(isPlain)).toEqual(plain);
  const secure = ["docker.io", "r.test", "10.2.0.1", "localhost.test", "[2001:db8::1]:5000"];
  expect(secure.filter(isPlain)).toEqual([]);
});
