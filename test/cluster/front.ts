import { once } from "node:events";
import { connect, type Server, type Socket } from "node:net";

/** A way to a server on 127.0.0.1, at the same address. */
export interface Front extends AsyncDisposable {
  readonly port: number;
}

export type FrontOptions = {
  /** The server's port, asked for at each connection. */
  to: () => number;
  /** Makes what listens; it calls `pass` with each connection. */
  serverOf: (pass: (near: Socket) => void) => Server;
  /** How answers come back. Default: as they are. */
  passBack?: (far: Socket, near: Socket) => void;
};

/** Listens, and passes every connection on. */
export async function openFront({
  to,
  serverOf,
  passBack = (far, near) => void far.pipe(near),
}: FrontOptions): Promise<Front> {
  const open = new Set<Socket>();
  const server = serverOf((near) => {
    const far = connect({ host: "127.0.0.1", port: to() });
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
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
