import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { createSelfSigned } from "../support/self-signed-certificate.ts";
import { openFront, type Front } from "./front.ts";

/** TLS in front of a server that speaks none, with a certificate that is its own authority. */
export interface TlsFront extends Front {
  /** The authority's certificate, for NODE_EXTRA_CA_CERTS. */
  readonly authorityFile: string;
}

/** Listens on 127.0.0.1 and passes every connection on to the same address; `port` is asked for at each of them. */
export async function createTlsFront(port: () => number): Promise<TlsFront> {
  const { certificate, key } = createSelfSigned(Date.now());
  const folder = await mkdtemp(join(tmpdir(), "openhands-tls-"));
  const authorityFile = join(folder, "authority.pem");
  await writeFile(authorityFile, certificate);
  const front = await openFront({
    to: port,
    serverOf: (pass) => createServer({ cert: certificate, key }, pass),
  });
  return {
    port: front.port,
    authorityFile,
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
