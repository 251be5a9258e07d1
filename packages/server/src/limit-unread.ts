import type { HttpBindings } from "@hono/node-server";

/** Breaks an answer off of which its reader takes nothing for that long: what is still to come would wait here for ever. */
export function limitUnread(outgoing: HttpBindings["outgoing"], timeoutMs: number): void {
  const watch = (): void => void outgoing.socket?.setTimeout(timeoutMs);
  outgoing.on("timeout", () => {
    // Where nothing waits to be taken it is not the reader who is slow.
    if (outgoing.writableLength > 0) outgoing.destroy();
    else watch();
  });
  // Node takes it off again at the end of the answer.
  watch();
}
