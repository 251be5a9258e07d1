import { randomUUID } from "node:crypto";
import type { RuntimeObject } from "@remote-runtime/protocol";
import { ensureStubImage } from "@remote-runtime/testing";
import { type Api, CPU_SECONDS, createApi } from "./api.ts";
import { inLanes } from "./lanes.ts";
import { createRawEngine, type RawEngine } from "./raw-engine.ts";
import { type Removals, watchRemovals } from "./removals.ts";
import { conditions, report, type Row } from "./report.ts";
import { median, percentile, rounded } from "./statistics.ts";
import { untilAlive } from "./until-alive.ts";
import { withBenchServer } from "./with-bench-server.ts";

/** How many sandboxes are alive at once, and how many live in one measurement. */
const LOADS = [
  { width: 8, count: 32 },
  { width: 32, count: 64 },
];
const ROUNDS = 3;

type Subjects = {
  api: Api;
  raw: RawEngine;
  removals: Removals;
  image: string;
  signal: AbortSignal;
};
type Start = (image: string) => Promise<RuntimeObject>;
type Round = { server: number; raw: number; cpuMs: number };
type Load = (typeof LOADS)[number];

/** Complete lives per second, through the server and on the bare engine by turns in one run, so that noise hits both. */
async function main(): Promise<void> {
  const began = conditions();
  const image = await ensureStubImage({ log: console.log });
  await withBenchServer(async (server, signal) => {
    const subjects = {
      api: createApi(server),
      raw: createRawEngine({ image, network: server.network }),
      removals: await watchRemovals(),
      image,
      signal,
    };
    try {
      await measure(subjects, began);
    } finally {
      subjects.api.close();
      subjects.raw.close();
      subjects.removals.close();
    }
  });
}

async function measure(subjects: Subjects, began: Record<string, unknown>): Promise<void> {
  const { api, signal } = subjects;
  const forms: Record<string, Start> = {
    "": (image) => api.start(image),
    ", a port each": (image) => api.startWithPort(image),
  };
  const rows: Record<string, Row> = {};
  const details: unknown[] = [];
  // What only the first life costs is nobody's: connections, compiled code, the image's layers in memory.
  for (const start of Object.values(forms))
    await inLanes({ count: 4, width: 4 }, () => serverLife(subjects, start, []), signal);
  await inLanes({ count: 4, width: 4 }, () => rawLife(subjects), signal);
  for (const [form, start] of Object.entries(forms)) {
    for (const load of LOADS) {
      const name = `${load.width} at once${form}`;
      const { rounds, startMs } = await measureLoad(subjects, { name, load, start });
      rows[name] = rowOf(rounds, startMs);
      details.push({ name, ...load, rounds, startMs });
    }
  }
  await report("life", { rows, conditions: began, details });
}

async function measureLoad(
  subjects: Subjects,
  { name, load, start }: { name: string; load: Load; start: Start },
): Promise<{ rounds: Round[]; startMs: number[] }> {
  const { api, signal } = subjects;
  const rounds: Round[] = [];
  const startMs: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const cpuBegan = await api.metric(CPU_SECONDS);
    const life = (): Promise<void> => serverLife(subjects, start, startMs);
    const server = load.count / (await inLanes(load, life, signal));
    const cpuMs = (1000 * ((await api.metric(CPU_SECONDS)) - cpuBegan)) / load.count;
    const raw = load.count / (await inLanes(load, () => rawLife(subjects), signal));
    rounds.push({ server, raw, cpuMs });
    console.log(
      `${name}, round ${round}: server ${rounded(server)} lives/s, engine alone ${rounded(raw)} lives/s`,
    );
  }
  return { rounds, startMs };
}

function rowOf(rounds: readonly Round[], startMs: readonly number[]): Row {
  return {
    "server, lives/s": rounded(median(rounds.map(({ server }) => server))),
    "engine alone, lives/s": rounded(median(rounds.map(({ raw }) => raw))),
    ratio: rounded(median(rounds.map(({ server, raw }) => server / raw))),
    "server's CPU, ms a life": rounded(median(rounds.map(({ cpuMs }) => cpuMs))),
    "/start p50, ms": rounded(percentile(startMs, 0.5)),
    "/start p95, ms": rounded(percentile(startMs, 0.95)),
  };
}

async function serverLife(
  { api, removals, image }: Subjects,
  start: Start,
  startMs: number[],
): Promise<void> {
  const began = performance.now();
  const accepted = await start(image);
  startMs.push(performance.now() - began);
  const ready = await api.ready(accepted);
  await untilAlive(ready.url, 1);
  const gone = removals.of(ready.runtime_id);
  await api.stop(ready);
  await gone;
}

async function rawLife({ raw }: Subjects): Promise<void> {
  await raw.life(`openhands-bench-raw-${randomUUID()}`);
}

await main();
