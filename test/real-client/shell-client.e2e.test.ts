import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureRealImage } from "../real-image/real-image.ts";
import { type CommandResult, runCommand } from "../real-image/run-command.ts";
import { type StubServer, startStubServer } from "../support/stub-server.ts";
import { until } from "../support/until.ts";

const SCRIPT = fileURLToPath(new URL("shell-life.sh", import.meta.url));
const resources = new AsyncDisposableStack();
let server: StubServer;
let image: string;

beforeAll(async () => {
  image = await ensureRealImage("shell-client", { log: console.error });
  server = resources.use(await startStubServer());
}, 10 * 60_000);

afterAll(() => resources.disposeAsync());

/** Runs the script, with bash, curl and jq as Debian has them; `command` is the sandbox's. */
async function shellLife(key: string, command: readonly string[] = []): Promise<CommandResult> {
  const name = `shell-client-${randomUUID()}`;
  const variables = { URL: server.url, KEY: key, IMAGE: server.image, SESSION: name };
  const env = Object.entries(variables).map(([variable, value]) => `--env=${variable}=${value}`);
  const script = `--volume=${SCRIPT}:/life.sh:ro`;
  const options = ["--rm", "--init", `--name=${name}`, "--network=host", script, ...env];
  const words = ["run", ...options, image, "bash", "/life.sh", ...command];
  try {
    return await runCommand("docker", words, { signal: AbortSignal.timeout(120_000) });
  } finally {
    // Nothing is left of it but where it took too long.
    await runCommand("docker", ["rm", "--force", name], { signal: AbortSignal.timeout(30_000) });
  }
}

test("a script with curl and jq starts a sandbox, waits for it, runs a command in it, finds it in the list and stops it", async () => {
  const { exitCode, stdout, tail } = await shellLife(server.key);
  expect(exitCode, tail).toBe(0);
  expect(stdout.split("\n").filter(Boolean)).toEqual(["hello from 42", "stopped"]);
  await until(
    () => server.containers(),
    (names) => names.length === 0,
    { what: "the container's removal" },
  );
});

test("its exit codes tell a refusal from a sandbox that fails, with the reason of either", async () => {
  const refused = await shellLife("wrong");
  expect(refused.exitCode, refused.tail).toBe(22);
  expect(JSON.parse(refused.stdout)).toEqual({
    detail: expect.stringContaining("key"),
    error: expect.any(String),
  });
  const failed = await shellLife(server.key, ["sh", "-c", "exit 7"]);
  expect(failed.exitCode, failed.tail).toBe(3);
  expect(failed.stdout).toContain("the command ended with exit code 7");
});
