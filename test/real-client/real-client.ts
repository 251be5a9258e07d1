import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { runCommand } from "../real-image/run-command.ts";

export interface RealClientOptions {
  /** Tag of a client image, as `ensureRealImage()` returns it. */
  readonly image: string;
  /** Which program of this folder plays the client. */
  readonly driver:
    | "v1_workspace.py"
    | "v0_remote_runtime.py"
    | "v0_runtime_builder.py"
    | "v0_many_builds.py"
    | "app_server.py";
  /** The interpreter, for an image that has several. Default: `python`. */
  readonly python?: string;
  /** Base URL of the server under test, reachable from the host's own network. */
  readonly apiUrl: string;
  readonly apiKey: string;
  /** More variables for the driver; all of them want SERVER_IMAGE. */
  readonly env?: Readonly<Record<string, string>>;
  /** Name of the client's container. Default: a random one. */
  readonly name?: string;
  /** Default 5 minutes. */
  readonly timeoutMs?: number;
  /** Gets a line per step as it is done. Default: nothing is said. */
  readonly log?: (line: string) => void;
}

/** One thing the client did. Other keys are what the driver saw, for instance `runtime_id`. */
export interface ClientStep {
  readonly step: string;
  readonly seconds: number;
  readonly [seen: string]: unknown;
}

/**
 * Plays one scenario with an unmodified client in a container on the host's network and returns its steps in order.
 * Rejects with the failed step and the end of the output; the container is gone either way.
 */
export async function runRealClient(options: RealClientOptions): Promise<ClientStep[]> {
  const { driver, timeoutMs = 5 * 60_000, log = () => undefined } = options;
  const { name = `real-client-${randomUUID()}` } = options;
  const steps: ClientStep[] = [];
  let failure: string | undefined;
  let passed = false;
  const timeout = setTimeout(() => {
    failure ??= `no verdict after ${timeoutMs / 1000} s`;
    // The command below ends with its container; ending the command alone would leave the container.
    removeContainer(name).catch((error: unknown) => log(`${driver}: ${String(error)}`));
  }, timeoutMs);
  try {
    const result = await runCommand("docker", dockerArguments(name, options), {
      // Covers an engine that does not even answer the removal.
      signal: AbortSignal.timeout(timeoutMs + 60_000),
      onLine: (line, from) => {
        if (from === "stderr") return;
        const report = parseReport(line);
        switch (report.kind) {
          case "step":
            steps.push(report.step);
            log(`${driver}: ${report.step.step}, ${report.step.seconds} s`);
            break;
          case "passed":
            passed = true;
            break;
          case "failed":
            failure ??= report.reason;
            break;
          case "noise":
            break;
        }
      },
    });
    if (passed && failure === undefined && result.exitCode === 0) return steps;
    const reason = failure ?? `exit code ${result.exitCode ?? "none"} without a verdict`;
    throw new Error(`${driver}: ${reason}\n--- the end of its output ---\n${result.tail}`);
  } finally {
    clearTimeout(timeout);
  }
}

function dockerArguments(name: string, options: RealClientOptions): string[] {
  const variables = { ...options.env, API_URL: options.apiUrl, API_KEY: options.apiKey };
  return [
    "run",
    "--rm",
    "--init",
    `--name=${name}`,
    "--network=host",
    // The app server takes a container to be unable to reach the host as localhost and says this name instead.
    "--add-host=host.docker.internal:127.0.0.1",
    `--volume=${fileURLToPath(new URL(".", import.meta.url))}:/driver:ro`,
    ...Object.entries(variables).map(([key, value]) => `--env=${key}=${value}`),
    options.image,
    options.python ?? "python",
    `/driver/${options.driver}`,
  ];
}

async function removeContainer(name: string): Promise<void> {
  await runCommand("docker", ["rm", "--force", name], { signal: AbortSignal.timeout(30_000) });
}

type Report =
  | { readonly kind: "step"; readonly step: ClientStep }
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "noise" };

function parseReport(line: string): Report {
  const value = parseObject(line);
  if (value === undefined) return { kind: "noise" };
  const { ok, step, seconds } = value;
  if (ok === true) return { kind: "passed" };
  if (ok === false)
    return { kind: "failed", reason: `step "${String(step)}" failed: ${String(value["error"])}` };
  if (typeof step === "string" && typeof seconds === "number")
    return { kind: "step", step: { ...value, step, seconds } };
  return { kind: "noise" };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
