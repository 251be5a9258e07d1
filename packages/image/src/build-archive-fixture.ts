import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Header, type types } from "tar";

export type ArchiveEntry = {
  path: string;
  /** Default "File". */
  type?: types.EntryTypeName;
  target?: string;
  content?: string | Buffer;
  mtime?: Date;
};

/** A tar archive of exactly these entries, however bad they are. */
export function tarOf(entries: readonly ArchiveEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = "File", target, content = "", mtime }) => {
    const body = Buffer.from(content);
    const header = new Header({
      path,
      type,
      ...(target === undefined ? {} : { linkpath: target }),
      size: body.length,
      mode: 0o644,
      mtime: mtime ?? new Date(0),
    });
    header.encode();
    if (!header.block) throw new Error(`${path} cannot be encoded`);
    const padding = Buffer.alloc((512 - (body.length % 512)) % 512);
    return [header.block, body, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** An extended header for the entry after it. Values are text, or bytes as they are. */
export function paxHeader(records: Record<string, string | Buffer>): ArchiveEntry {
  const lines = Object.entries(records).map(([key, value]) => {
    const record = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
    const rest = record.length;
    const length = rest + String(rest + String(rest).length).length;
    return Buffer.concat([Buffer.from(String(length)), record]);
  });
  return { path: "PaxHeader", type: "ExtendedHeader", content: Buffer.concat(lines) };
}

/** The same, gzipped, in a file of its own. */
export async function archiveFile(
  content: readonly ArchiveEntry[] | Buffer,
): Promise<AsyncDisposable & { path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "build-archive-"));
  const path = join(folder, "context.tar.gz");
  await writeFile(path, Buffer.isBuffer(content) ? content : gzipSync(tarOf(content)));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
