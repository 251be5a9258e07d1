/** One header of an archive. Texts are bytes, each as one character: names need not be text. */
export type TarHeader = {
  /** One character, as in the header. */
  type: string;
  path: string;
  target: string;
  sizeBytes: number;
  mode: number;
};

export const TAR_BLOCK_BYTES = 512;

/**
 * Reads a header as the engine does (archive/tar of Go), so that nothing stands for one of the two where the other sees
 * nothing. `undefined`: it is no header.
 */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  if (!hasItsSum(block)) return undefined;
  const prefix = prefixOf(block);
  const sizeBytes = numberAt(block, 124, 12);
  const mode = numberAt(block, 100, 8);
  if (prefix === undefined || sizeBytes === undefined || mode === undefined) return undefined;
  const name = textAt(block, 0, 100);
  return {
    type: textOf(block, 156, 157),
    path: prefix === "" ? name : `${prefix}/${name}`,
    target: textAt(block, 157, 100),
    sizeBytes,
    mode: mode & 0o7777,
  };
}

/** What stands before the name, which each format has at its own length and one has not at all. */
function prefixOf(block: Buffer): string | undefined {
  const magic = textOf(block, 257, 265);
  if (magic.startsWith("ustar\0")) {
    return textAt(block, 345, textOf(block, 508, 512) === "tar\0" ? 131 : 155);
  }
  if (magic !== "ustar  \0") return "";
  // Old writers put a prefix where this format has two times: then the engine takes it for one.
  return isTimeAt(block, 345) && isTimeAt(block, 357) ? "" : undefined;
}

function isTimeAt(block: Buffer, start: number): boolean {
  return block[start] === 0 || numberAt(block, start, 12) !== undefined;
}

/** Digits in base 8, or as it stands where the first bit is set. `undefined`: neither, or more than a number can be. */
function numberAt(block: Buffer, start: number, length: number): number | undefined {
  if (((block[start] ?? 0) & 0x80) === 0) {
    const digits = textOf(block, start, start + length)
      .replace(/^[ \0]+|[ \0]+$/g, "")
      .replace(/\0.*$/s, "");
    return /^[0-7]*$/.test(digits) ? Number.parseInt(`0${digits}`, 8) : undefined;
  }
  let value = (block[start] ?? 0) & 0x7f;
  for (let at = start + 1; at < start + length; at += 1) value = value * 256 + (block[at] ?? 0);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The sum of all bytes, those of the sum itself taken for spaces; some writers count bytes as signed. */
function hasItsSum(block: Buffer): boolean {
  let sum = 0;
  let negative = 0;
  for (let at = 0; at < TAR_BLOCK_BYTES; at += 1) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
    sum += byte;
    if (byte >= 0x80) negative += 256;
  }
  const told = numberAt(block, 148, 8);
  return told === sum || told === sum - negative;
}

function textAt(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return textOf(block, start, end === -1 ? start + length : Math.min(end, start + length));
}

function textOf(block: Buffer, start: number, end: number): string {
  return block.toString("latin1", start, end);
}
