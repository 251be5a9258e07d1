import { createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { openFront, type Front } from "./front.ts";

/** A way to a server whose answers come late, and in order. */
export interface SlowFront extends Front {
  /** From now on each piece of an answer is held back for so many milliseconds, asked for each. At first none is. */
  slowDown(delayMs: () => number): void;
}

/** Listens on 127.0.0.1 and passes every connection on to the same address; `port` is asked for at each of them. */
export async function createSlowFront(port: () => number): Promise<SlowFront> {
  let delayMs = (): number => 0;

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

  const front = await openFront({ to: port, serverOf: (pass) => createServer(pass), passBack });
  return { ...front, slowDown: (next) => void (delayMs = next) };
}
