import { readTarHeader, TAR_BLOCK_BYTES, type TarHeader } from "./tar-header.ts";

export type TarListener = {
  /** Each header, of entries and of what is said of them. Answers how many bytes of content follow. */
  onHeader(header: TarHeader): number;
  /** A piece of that content; `isLast` with the last one, which is empty if there is none. */
  onContent(piece: Buffer, isLast: boolean): void;
};

export interface TarReader {
  /** Takes the next piece of the archive, and tells of all that is in it before it returns. */
  write(chunk: Buffer): void;
  /** The archive has ended. */
  end(): void;
}

/**
 * Parts an archive into headers and contents; throws for what is none. Holds one header at the most, whatever the pieces, and
 * reads each byte once.
 */
export function createTarReader({ onHeader, onContent }: TarListener): TarReader {
  const held = Buffer.alloc(TAR_BLOCK_BYTES);
  let heldBytes = 0;
  let contentBytes = 0;
  let paddingBytes = 0;
  let zeroBlocks = 0;
  let headers = 0;

  function takeHeader(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      zeroBlocks += 1;
      return;
    }
    const header = zeroBlocks === 0 ? readTarHeader(block) : undefined;
    if (!header) throw new Error("a block is no header");
    headers += 1;
    contentBytes = onHeader(header);
    paddingBytes = (TAR_BLOCK_BYTES - (contentBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
    if (contentBytes === 0) onContent(block.subarray(0, 0), true);
  }

  /** Answers where it has come to. */
  function takeBlock(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.byteLength, at + TAR_BLOCK_BYTES - heldBytes);
    if (heldBytes === 0 && end - at === TAR_BLOCK_BYTES) {
      takeHeader(chunk.subarray(at, end));
      return end;
    }
    heldBytes += chunk.copy(held, heldBytes, at, end);
    if (heldBytes === TAR_BLOCK_BYTES) {
      heldBytes = 0;
      takeHeader(held);
    }
    return end;
  }

  return {
    write(chunk) {
      for (let at = 0; at < chunk.byteLength;) {
        // Nobody reads what follows those.
        if (zeroBlocks === 2) return;
        if (contentBytes > 0) {
          const piece = chunk.subarray(at, at + contentBytes);
          contentBytes -= piece.byteLength;
          at += piece.byteLength;
          onContent(piece, contentBytes === 0);
        } else if (paddingBytes > 0) {
          const skipped = Math.min(paddingBytes, chunk.byteLength - at);
          paddingBytes -= skipped;
          at += skipped;
        } else at = takeBlock(chunk, at);
      }
    },
    end() {
      if (contentBytes > 0 || paddingBytes > 0 || heldBytes > 0) throw new Error("it is cut short");
      if (headers === 0) throw new Error("it is empty");
    },
  };
}
