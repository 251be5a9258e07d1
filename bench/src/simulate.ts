import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import {
  compare,
  homeMoves,
  plotOf,
  scenarioOf,
  tableOf,
  type Comparison,
} from "@remote-runtime/simulation";
import { conditions, report, type Row } from "./report.ts";

const IMAGES = 2_000;
const FLEETS = [8, 32];
const SEVERAL = [2, 4];

/** A training run of usual size under each policy, on 8 and on 32 replicas; and what moves when a replica joins 8. */
async function main(): Promise<void> {
  const began = conditions();
  const text = await readFile(new URL("../data/swebench-full-images.txt", import.meta.url), "utf8");
  const images = text
    .trim()
    .split("\n")
    .slice(0, IMAGES)
    .map((name) => `docker.io/library/${name}`);
  const rows: Record<string, Row> = {};
  const details: Record<string, unknown> = {};
  for (const replicas of FLEETS) {
    const comparison = compare(scenarioOf({ images, replicas }));
    Object.assign(rows, rowsOf(comparison, replicas));
    details[`${replicas} replicas`] = comparison.results;
    for (const gateways of SEVERAL) {
      const policies = ["grouped"] as const;
      const shared = compare(scenarioOf({ images, replicas, gateways }), { policies });
      const [row] = Object.values(rowsOf(shared, replicas));
      Object.assign(rows, { [`${replicas}: grouped, ${gateways} gateways`]: row });
      details[`${replicas} replicas, ${gateways} gateways`] = shared.results;
    }
    const path = fileURLToPath(new URL(`../out/simulate-${replicas}.svg`, import.meta.url));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, plotOf(comparison));
  }
  details["one joins 8"] = homeMoves(images, members(8), members(9));
  details["one of 9 leaves"] = homeMoves(images, members(9), members(8));
  await report("simulate", { rows, conditions: { ...began, IMAGES }, details });
  process.stdout.write(`${JSON.stringify(details["one joins 8"])}\n`);
}

function rowsOf(comparison: Comparison, replicas: number): Record<string, Row> {
  const { columns, rows } = tableOf(comparison);
  return Object.fromEntries(
    rows.map(([policy, ...cells]) => [
      `${replicas}: ${policy}`,
      Object.fromEntries(cells.map((cell, at) => [columns[at + 1]?.title, cell])),
    ]),
  );
}

const members = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `replica-${index + 1}`, weight: 1 }));

await main();
