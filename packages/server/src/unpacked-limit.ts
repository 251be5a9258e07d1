const MIB = 1024 * 1024;
/** Of the largest archive that is taken. */
const MOST_FACTOR = 10;
/** What text and empty files come to at the most; a bomb has a thousand. */
const BOMB_FACTOR = 100;
/** So much may be in any archive, however well it is packed. */
const HARMLESS_BYTES = 256 * MIB;

/** How large an archive of so many bytes may be when it is unpacked, in bytes. */
export function unpackedLimit(archiveBytes: number, maxArchiveBytes: number): number {
  const plausible = Math.max(HARMLESS_BYTES, BOMB_FACTOR * archiveBytes);
  return Math.min(MOST_FACTOR * maxArchiveBytes, plausible);
}
