import { Parser } from "tar";

const BLOCK_BYTES = 4096;

/** What the entries of a tar archive take on a disk, in bytes: each file in whole blocks of 4 KiB, and one for all others. */
export async function diskBytesOf(archive: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  const parser = new Parser({
    filter(_, entry) {
      const size = "size" in entry ? entry.size : 0;
      bytes += Math.max(1, Math.ceil(size / BLOCK_BYTES)) * BLOCK_BYTES;
      // Its content is passed over.
      return false;
    },
  });
  for await (const chunk of archive) parser.write(chunk);
  return bytes;
}
