import { readFile } from "node:fs/promises";
import { environmentNames as gatewayNames } from "@remote-runtime/gateway";
import { environmentNames as replicaNames } from "@remote-runtime/replica";
import { ConfigError } from "@remote-runtime/server";
import { describe, expect, test } from "vitest";
import { environmentNames, ignoredSettings, readStandaloneConfig } from "./config.ts";

function read(argv: string[], env: Record<string, string> = {}) {
  const config = readStandaloneConfig(argv, env);
  if (config === "help") throw new Error("unexpected help");
  return config;
}

describe("readStandaloneConfig()", () => {
  test("starts with nothing given, and keeps its data in the user's folder", () => {
    const config = read([]);
    expect(config).toMatchObject({ HOST: "0.0.0.0", PORT: 8000 });
    expect(config.API_KEYS).toBeUndefined();
    expect(config.DATA_DIR).toMatch(/openhands-remote-runtime$/);
  });

  test("lets flags win over the environment", () => {
    const config = read(["--host", "127.0.0.1", "--port", "8100"], { HOST: "::", PORT: "9" });
    expect(config).toMatchObject({ HOST: "127.0.0.1", PORT: 8100 });
    expect(read([], { HOST: "::", PORT: "9" })).toMatchObject({ HOST: "::", PORT: 9 });
  });

  test.each(["API_KEYS", "ALLHANDS_API_KEY", "OPENHANDS_API_KEY", "SANDBOX_API_KEY"])(
    "takes a key from %s",
    (name) => {
      expect(read([], { [name]: "alice=secret" }).API_KEYS).toEqual([
        { name: "alice", key: "secret" },
      ]);
    },
  );

  test("refuses host names for runtimes without a domain for them", () => {
    expect(() => read([], { RUNTIME_URLS: "host" })).toThrow(/RUNTIME_URL_BASE/);
    const base = "http://sandbox.example.com:8000";
    expect(read([], { RUNTIME_URLS: "host", RUNTIME_URL_BASE: base }).RUNTIME_URLS).toBe("host");
  });

  test("names everything that is wrong at once", () => {
    const wrong = { PORT: "http", IDLE_TIMEOUT_SECONDS: "soon" };
    expect(() => read([], wrong)).toThrow(ConfigError);
    expect(() => read([], wrong)).toThrow(/IDLE_TIMEOUT_SECONDS="soon"[^]*PORT="http"/);
  });

  test("shows how it is used for an unknown flag and for --help", () => {
    expect(() => readStandaloneConfig(["--prot", "1"], {})).toThrow(/--prot[^]*Usage: npm start/);
    expect(readStandaloneConfig(["--help"], {})).toBe("help");
  });
});

test("README's table of settings has every variable of every server, and no other", async () => {
  const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  const settings = readme.slice(readme.indexOf("## Settings"), readme.indexOf("## Tests"));
  const inTable = [...settings.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = ""]) => [
    ...cell.matchAll(/`([A-Z_]+)`/g),
  ]);
  const aliases = ["ALLHANDS_API_KEY", "OPENHANDS_API_KEY", "SANDBOX_API_KEY"];
  const documented = new Set([...inTable.map(([, name]) => name), ...aliases]);
  expect(documented).toEqual(new Set([...environmentNames, ...gatewayNames, ...replicaNames]));
  for (const alias of aliases) expect(settings).toContain(alias);
});

test("ignoredSettings() names what other servers read and this one does not", () => {
  const known = [...gatewayNames, ...replicaNames];
  const env = {
    REDIS_URL: "redis://redis:6379",
    OPERATORS: "ops",
    ROUTING: " ",
    PORT: "1",
    X: "1",
  };
  expect(ignoredSettings(env, known)).toContain("DATA_DIR: REDIS_URL, OPERATORS; npm run compose");
  expect(ignoredSettings({ PORT: "1", PATH: "/bin" }, known)).toBeUndefined();
});
