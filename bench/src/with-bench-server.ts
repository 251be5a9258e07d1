import { type BenchServer, startBenchServer } from "./bench-server.ts";

/**
 * Runs `work` against a server of its own, which is gone afterwards. The first SIGINT or SIGTERM aborts the signal that
 * `work` is given, the second one ends the process at once. `settings` are
 * environment variables over the benchmark's own.
 */
export async function withBenchServer(
  work: (server: BenchServer, signal: AbortSignal) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => controller.abort(new Error(`ended by ${name}`));
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const server = await startBenchServer(["scripts/start.sh"], settings);
    try {
      await work(server, controller.signal);
    } finally {
      await server.stop();
    }
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}
