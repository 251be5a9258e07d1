import { once } from "node:events";
import { createServer } from "node:http";

/** A URL of this machine: whoever asks it gets 200 once `run` is done, and 500 when that has failed. */
export async function startHook(
  run: () => Promise<void>,
): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((_, response) => {
    run().then(
      () => response.end(),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
