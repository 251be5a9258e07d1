const UNITS = ["kB", "MB", "GB", "TB", "PB"];

/** In the largest unit that it fills, of 1,000 each as registries count, with a digit after the point below 10: `350 MB`, `1.2 TB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const larger of UNITS) {
    if (value < 999.5) break;
    value /= 1000;
    unit = larger;
  }
  return `${unit !== "B" && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}
