import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A way to a server whose answers come late, and in order. */
export interface SlowFront extends AsyncDisposable {
  readonly port: number;
  /** From now on each piece of an answer is held back for so many milliseconds, asked for each. At first none is. */
  slowDown(delayMs: () => number): void;
}

/** Listens on 127.0.0.1 and passes every connection on to the same address; `port` is asked for at each of them. */
export async function createSlowFront(port: () => number): Promise<SlowFront> {
  let delayMs = (): number => 0;
  const open = new Set<Socket>();

  function passBack(far: Socket, near: Socket): void {
    let before = Promise.resolve();
    far.on("data", (piece: Buffer) => {
      const dueAt = performance.now() + delayMs();
      before = before.then(async () => {
        const left = dueAt - performance.now();
        if (left > 0) await delay(left);
        if (!near.destroyed) near.write(piece);
      });
    });
  }

  const server = createServer((near) => {
    const far = connect({ host: "127.0.0.1", port: port() });
    open.add(near);
    near.once("close", () => {
      open.delete(near);
      far.destroy();
    });
    far.once("close", () => near.destroy());
    // Either end's failure is the other one's as well.
    near.once("error", () => far.destroy());
    far.once("error", () => near.destroy());
    near.pipe(far);
    passBack(far, near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    slowDown: (next) => void (delayMs = next),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
