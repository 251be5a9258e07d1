import { ServiceError, type PrefetchShare } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { cli, KEY, share, startGateway, type ServedHandlers } from "../cli-fixture.ts";

const LIST = "a\nb\nc # the last\n\na:latest\n";
const IMAGES = ["a", "b", "c"].map((name) => `docker.io/library/${name}:latest`);

type Given = { images: string[]; anew: boolean; id: string | undefined; copies: number };

/** Answers what it is told to: first to the list, then to each look, the last one again and again. */
async function start(looks: PrefetchShare[][], more: Partial<ServedHandlers> = {}) {
  const given: Given[] = [];
  const left = [...looks];
  const next = () => ({
    prefetch_id: "p",
    replicas: (left.length > 1 ? left.shift() : left[0]) ?? [],
  });
  const gateway = await startGateway({
    async prefetch({ body: { images, anew, copies, prefetch_id: id } }) {
      given.push({ images, anew, copies, id });
      return next();
    },
    prefetchProgress: async () => next(),
    ...more,
  });
  return { gateway, given, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

describe("prefetch", () => {
  test("gives the list once, waits until all is there, and says so", async () => {
    await using server = await start([
      [share({ waiting: 3 })],
      [share({ running: 1, waiting: 1, held: 1 })],
      [share({ held: 1, pulled: 2, pulled_bytes: 3e9 })],
    ]);
    const { gateway, given } = server;
    const done = await cli(["prefetch", "-", "--copies", "2"], { gateway, typed: LIST });
    expect(done).toEqual({
      code: 0,
      stdout: "2 images pulled (3.0 GB), 1 was there, in 0s\n",
      stderr: "",
    });
    expect(given).toMatchObject([{ images: IMAGES, anew: true, copies: 2 }]);
    const again = await cli(["prefetch", "-", "--copies", "2"], { gateway, typed: "c\nb\na\n" });
    expect(again.code).toBe(0);
    expect(given[1]?.id).toBe(given[0]?.id);
  });

  test("lists what failed with reasons, and exits with 1", async () => {
    const failures = [{ image: "docker.io/library/b:latest", error: "no such\u001b[31m image" }];
    await using server = await start([[share({ pulled: 2, failed: 1, failures })]]);
    const { gateway } = server;
    const shown = await cli(["prefetch", "-"], { gateway, typed: LIST });
    expect(shown.code).toBe(1);
    expect(shown.stdout).toContain("2 images pulled (0 B), 1 failed");
    expect(shown.stderr).toBe(
      "failed: docker.io/library/b:latest (replica-1): no such image\n" +
        "remote-runtime: 1 image failed; the same command tries them again\n",
    );
    const { code, stdout } = await cli(["prefetch", "-", "--json"], { gateway, typed: LIST });
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      { images: 3, pulled: 2, failed: 1, failures: [{ replica_id: "replica-1", ...failures[0] }] },
    ]);
  });

  test("gives a replica its part again that has forgotten it, and others the part of one that is gone", async () => {
    const first = share({ waiting: 2 });
    const third = share({ replica_id: "replica-3", waiting: 1 });
    const silent = share({ replica_id: "replica-3", state: "silent", error: "away" });
    const done = [share({ held: 2 }), share({ replica_id: "replica-2", pulled: 1 })];
    const given: boolean[] = [];
    await using gateway = await startGateway({
      async prefetch({ body: { anew } }) {
        given.push(anew);
        const replicas = [[first, third], [first, silent], done][given.length - 1] ?? [];
        return { prefetch_id: "p", replicas };
      },
      async prefetchProgress() {
        const looks = [[share({ state: "unknown" })], [share({ waiting: 1, held: 1 })], done];
        return { prefetch_id: "p", replicas: looks[given.length - 1] ?? [] };
      },
    });
    const { code, stdout, stderr } = await cli(["prefetch", "-"], { gateway, typed: LIST });
    expect(stdout).toMatch(/^1 image pulled \(0 B\), 2 were there, in 3\ds\n$/);
    expect(code).toBe(0);
    expect(given).toEqual([true, false, false]);
    expect(stderr).toContain("what replica-1 had to do is given again\n");
    expect(stderr).toContain("what replica-3 had to do is given again\n");
  });

  test("gives up a replica that is there and takes no part, and lists its images as failed", async () => {
    const missed = ["a", "b"].map((name) => `docker.io/library/${name}:latest`);
    const error = "replica replica-2 does not answer";
    const failures = missed.map((image) => ({ image, error }));
    const silent = share({ replica_id: "replica-2", state: "silent", error });
    await using gateway = await startGateway({
      async prefetch() {
        const replicas = [share({ held: 1 }), { ...silent, failed: 2, failures }];
        return { prefetch_id: "p", replicas };
      },
      prefetchProgress: async () => ({ prefetch_id: "p", replicas: [share({ held: 1 }), silent] }),
    });
    const given = await cli(["prefetch", "-", "--json"], { gateway, typed: LIST });
    expect(given.code).toBe(1);
    expect(JSON.parse(given.stdout)).toMatchObject({
      images: 3,
      held: 1,
      failed: 2,
      seconds: expect.closeTo(120, -1) as number,
      failures: missed.map((image) => ({
        image,
        replica_id: "replica-2",
        error: expect.stringMatching(
          /^replica replica-2 has taken no part for 12\d s: .* not answer/,
        ) as string,
      })),
    });
    expect(given.stderr).toContain("it is not waited for any more\n");
    const soon = await cli(["prefetch", "-", "--patience", "40"], { gateway, typed: LIST });
    expect([soon.code, soon.stdout]).toEqual([
      1,
      expect.stringMatching(/^0 images pulled .* 2 failed, in 4\ds\n$/),
    ]);
    expect((await cli(["prefetch", "-", "--patience", "0"], { gateway })).code).toBe(2);
  });

  test("takes the word of a replica that it has given up, when it answers after all", async () => {
    const away = share({ replica_id: "replica-2", state: "silent", error: "away" });
    let looks = 0;
    await using gateway = await startGateway({
      async prefetch() {
        return { prefetch_id: "p", replicas: [share({ waiting: 1 }), { ...away, failed: 1 }] };
      },
      async prefetchProgress() {
        looks += 1;
        const isBack = looks > 150;
        const other = isBack ? share({ replica_id: "replica-2", pulled: 1 }) : away;
        return {
          prefetch_id: "p",
          replicas: [share(isBack ? { held: 1 } : { waiting: 1 }), other],
        };
      },
    });
    const { code, stdout } = await cli(["prefetch", "-"], { gateway, typed: "a\nb\n" });
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^1 image pulled .*, 1 was there, in/),
    ]);
  });

  test("asks a server again that does not answer for a while", async () => {
    let asked = 0;
    await using server = await start([[share({ waiting: 1 })]], {
      async prefetchProgress() {
        asked += 1;
        if (asked < 3) throw new ServiceError("unavailable", "just started");
        return { prefetch_id: "p", replicas: [share({ pulled: 1 })] };
      },
    });
    expect((await cli(["prefetch", "-"], { ...server, typed: "a\n" })).code).toBe(0);
    asked = Number.NEGATIVE_INFINITY;
    const given = await cli(["prefetch", "-"], { ...server, typed: "a\n" });
    expect(given).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("has not answered for 10 min") as string,
    });
  });

  test("Ctrl-C takes back what has not begun; --detach leaves it", async () => {
    const interrupt = new AbortController();
    const cancelled: string[] = [];
    await using server = await start([[share({ waiting: 2, running: 1 })]], {
      async cancelPrefetch({ params }) {
        cancelled.push(params.prefetch_id);
        return { prefetch_id: "p", replicas: [share({ cancelled: 2, running: 1 })] };
      },
    });
    const { gateway, given } = server;
    const detached = await cli(["prefetch", "-", "--detach"], { gateway, typed: LIST });
    expect(detached).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`prefetch ${given[0]?.id} goes on`) as string,
    });
    expect(cancelled).toEqual([]);
    const { code, stderr } = await cli(["prefetch", "-"], {
      gateway,
      typed: LIST,
      signal: interrupt.signal,
      onSleep: () => interrupt.abort(),
    });
    expect(code).toBe(130);
    expect(stderr).toContain("2 images taken back, 1 still being pulled; the same command goes on");
    expect(cancelled).toEqual([given[1]?.id]);
  });

  test("draws a bar at a terminal, and lines elsewhere", async () => {
    const looks = [
      [share({ waiting: 4 })],
      ...Array.from({ length: 14 }, () => [share({ waiting: 2, pulled: 2, pulled_bytes: 1e9 })]),
      [share({ pulled: 4 })],
    ];
    await using server = await start(looks);
    const plain = await cli(["prefetch", "-"], { ...server, typed: "a\n" });
    expect(plain.stderr).toMatch(/^2 of 4 images, 1\.0 GB, \d+ MB\/s, ETA \d+s\n$/);
    await using other = await start(looks);
    const drawn = await cli(["prefetch", "-"], { ...other, typed: "a\n", columns: 80 });
    expect(drawn.stderr).toContain("\u2591 0/4 images, 0 B");
    expect(drawn.stderr).toContain("\u2588 4/4 images, ");
    expect(drawn.code).toBe(0);
  });

  test("says what keeps a pull waiting, not more than once a minute", async () => {
    const progress = "ImagePullBackOff: no route to host; try 2 of 5 in 1.0 s";
    const pulls = [{ image: "docker.io/library/a:latest", progress, bytes: 0 }];
    const waits = Array.from({ length: 70 }, () => [share({ running: 1, pulls })]);
    await using server = await start([...waits, [share({ pulled: 1 })]]);
    const { stderr } = await cli(["prefetch", "-"], { ...server, typed: "a\n" });
    const lines = stderr.split("\n").filter((line) => line.includes("ImagePullBackOff"));
    expect(lines).toEqual(
      Array.from({ length: 2 }, () => `docker.io/library/a:latest on replica-1: ${progress}`),
    );
  });

  test("--pin pins all of the list first", async () => {
    const pinned: string[][] = [];
    await using server = await start([[share({ held: 3 })]], {
      async pin({ body }) {
        pinned.push(body.images);
        return { pinned: 1 };
      },
    });
    const { stdout } = await cli(["prefetch", "-", "--pin"], { ...server, typed: LIST });
    expect([pinned, stdout]).toEqual([
      [IMAGES],
      "0 images pulled (0 B), 3 were there, 1 newly pinned, in 0s\n",
    ]);
  });

  test("refuses a list with bad names before anything starts, naming each", async () => {
    await using server = await start([[share({ held: 1 })]]);
    const typed = "a\nB\nok:1\nC d\n";
    const { code, stderr } = await cli(["prefetch", "-"], { ...server, typed });
    expect([code, server.given]).toEqual([2, []]);
    expect(stderr).toMatch(/stdin:2: .*"B".*; stdin:4: .*"C d"/);
    for (const other of ["--detach", "--pin"]) {
      const both = ["prefetch", "-", "--plan", other];
      expect((await cli(both, { ...server, typed: "a" })).code).toBe(2);
    }
    for (const copies of ["0", "1.5", "x"]) {
      expect((await cli(["prefetch", "-", "--copies", copies])).code).toBe(2);
    }
  });

  test("keeps the key to itself", async () => {
    await using server = await start([[share({ held: 1 })]]);
    const { stdout, stderr } = await cli(["prefetch", "-", "--json"], { ...server, typed: "a" });
    expect(stdout + stderr).not.toContain(KEY);
  });
});
