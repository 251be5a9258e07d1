/** Stands for the path of a folder in a set; the root's. */
export const ROOT_KEY = 0x9e3779b9;

const LOW = 2 ** 21;

/**
 * Key of what is called `name` in the folder with the key `folder`: a number of 53 bits, so that a set of them has the same
 * size however long the paths are, and each part of a path is read once. Two paths may share one, if rarely: use it only
 * where that means more care.
 */
export function pathKey(folder: number, name: string): number {
  let high = Math.floor(folder / LOW) ^ 0x2f;
  let low = Math.imul(folder % LOW, 0x85ebca6b) ^ 0x2f;
  for (let at = 0; at < name.length; at += 1) {
    const byte = name.charCodeAt(at);
    high = Math.imul(high ^ byte, 0x01000193);
    low = Math.imul(low ^ byte, 0x5bd1e995) ^ (low >>> 13);
  }
  high = Math.imul(high ^ (high >>> 15) ^ low, 0xc2b2ae35);
  return (high >>> 0) * LOW + ((low ^ (low >>> 11)) & (LOW - 1));
}
