import { expect, test } from "vitest";
import { call } from "../support/call.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import { WireRuntime } from "../support/wire-runtime.ts";
import { startCluster } from "./cluster.ts";
import type { Member } from "./member.ts";
import { expectUndisturbed, watchReads } from "./read-watch.ts";

/** Its announcement ends after 6 s; at about 10 s its neighbour takes over. */
const AWAY_MS = 12_000;
const BACK_MS = 10_000;
const REDIS_AWAY_MS = 2_000;
/** A replica's answer to a read is waited for 3 s. */
const BOTH_AWAY_MS = 7_000;
/** An announcement lives for 6 s, and its end has to be seen twice in heartbeats of 2 s; the rest is for a busy machine. */
const TAKEN_OVER_MS = 20_000;

const idOf = ({ runtime_id: id }: WireRuntime): string => id;

async function untilAwayFor(ms: number): Promise<void> {
  const backAt = performance.now() + ms;
  await until(
    () => undefined,
    () => performance.now() >= backAt,
    { what: "the end of its absence" },
  );
}

const absences: [
  what: string,
  leave: (one: Member) => Promise<void>,
  back: (one: Member) => Promise<void>,
][] = [
  ["stands still", async (one) => one.signal("SIGSTOP"), async (one) => one.signal("SIGCONT")],
  ["is killed", (one) => one.kill(), (one) => one.restart()],
];

test.concurrent.each(absences)(
  "a replica that %s for 12 s under two gateways: no read is refused, and all runtimes answer at their URLs again",
  async (_what, leave, back) => {
    await using cluster = await startCluster({ gateways: 2 });
    const [away] = cluster.replicas;
    if (!away) throw new Error("two were started");
    const live = await Promise.all(
      cluster.replicas.flatMap(({ api }) =>
        [1, 2].map(() => api.startReady(stubStart(cluster.image))),
      ),
    );
    const reads = cluster.gateways.map(({ api }) => watchReads(api, live));
    await leave(away);
    await untilAwayFor(AWAY_MS);
    await back(away);
    for (const { api } of cluster.gateways) {
      for (const one of live) {
        const found = await until(
          () => api.runtime(idOf(one)),
          ({ status, pod_status: word }) => status === "running" && word === "Ready",
          { deadlineMs: BACK_MS, what: `${idOf(one)} being ready` },
        );
        // The one that is read now, and the one that a client keeps from its start.
        for (const url of new Set([found.url, one.url]))
          await until(
            () => call(`${url}/alive`).then(({ status }) => status, String),
            (status) => status === 200,
            { deadlineMs: BACK_MS, what: `an answer at ${url}` },
          );
        expect(await api.session(one.session_id)).toMatchObject({
          runtime_id: idOf(one),
          restart_count: 0,
        });
      }
    }
    await expectUndisturbed(...reads);
    expect((await cluster.containers()).toSorted()).toEqual(live.map(idOf).toSorted());
  },
);

test.concurrent("with Redis away as well, reads are refused rather than answered without what a silent replica has", async () => {
  await using cluster = await startCluster();
  const { gateway, replicas, image } = cluster;
  const [away] = replicas;
  if (!away) throw new Error("two were started");
  const live = await Promise.all(replicas.map(({ api }) => api.startReady(stubStart(image))));
  await cluster.redis.kill();
  const alone = watchReads(gateway.api, live);
  await untilAwayFor(REDIS_AWAY_MS);
  await expectUndisturbed(alone);
  const both = watchReads(gateway.api, live);
  away.signal("SIGSTOP");
  await untilAwayFor(BOTH_AWAY_MS);
  away.signal("SIGCONT");
  const { incomplete, statuses } = await both.stop();
  expect(incomplete).toEqual([]);
  expect([...statuses.keys()].toSorted((one, other) => one - other)).toEqual([200, 503]);
  const after = watchReads(gateway.api, live);
  await untilAwayFor(REDIS_AWAY_MS);
  await expectUndisturbed(after);
});

/** Asks until the stop is answered with something else than "ask again"; every answer on the way is taken down. */
async function untilStopped(
  { api }: Member,
  id: string,
  statuses: Set<number>,
): Promise<WireRuntime> {
  const answer = await until(
    () => api.post("/stop", { runtime_id: id }),
    ({ status }) => {
      statuses.add(status);
      return status === 200;
    },
    { deadlineMs: TAKEN_OVER_MS, everyMs: 25, what: `the stop of ${id}` },
  );
  return WireRuntime.parse(answer.json());
}

test.concurrent("a stop that meets a takeover is refused for a moment or answered with the end, and the runtime ends", async () => {
  await using cluster = await startCluster({ env: () => ({ MAX_RUNNING: "3" }) });
  const { gateway, image } = cluster;
  const [leaver, heir] = cluster.replicas;
  if (!leaver || !heir) throw new Error("two were started");
  // Most of them wait for their turn: what has no container is taken over like the others.
  const all = await Promise.all(
    Array.from({ length: 14 }, () => leaver.api.start(stubStart(image))),
  );
  const statuses = { heir: new Set<number>(), gateway: new Set<number>() };
  await leaver.kill();
  const kept = all.slice(0, 2);
  const [atHeir, atGateway] = [all.slice(2, 10), all.slice(10)];
  const stopped = await Promise.all([
    ...atHeir.map((one) => untilStopped(heir, idOf(one), statuses.heir)),
    // One after the other, as what is not taken over yet is ended at once by its record.
    (async () => {
      const ended: WireRuntime[] = [];
      for (const one of atGateway) {
        ended.push(await untilStopped(gateway, idOf(one), statuses.gateway));
        await untilAwayFor(700);
      }
      return ended;
    })(),
  ]);
  // The heir does not know them before; a gateway may never say so, as clients take it for the end.
  for (const status of statuses.heir) expect([200, 404, 503]).toContain(status);
  for (const status of statuses.gateway) expect([200, 503]).toContain(status);
  expect(stopped.flat().map(({ status }) => status)).toEqual(
    [...atHeir, ...atGateway].map(() => "stopped"),
  );
  await Promise.all(kept.map(gateway.api.untilReady));
  await until(
    async () => (await cluster.containers()).toSorted().join(),
    (names) => names === kept.map(idOf).toSorted().join(),
    { what: "nothing but what was not stopped" },
  );
  expect((await gateway.api.list()).map(idOf).toSorted()).toEqual(kept.map(idOf).toSorted());
  for (const one of stopped.flat()) {
    expect(await gateway.api.runtime(idOf(one))).toMatchObject({ status: "stopped" });
    expect((await gateway.api.get(`/sessions/${one.session_id}`)).status).toBe(404);
  }
});
