import { MOST_PREFETCH_IMAGES, type PrefetchPlan } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { cli, startGateway } from "../cli-fixture.ts";

describe("prefetch --plan", () => {
  const part: PrefetchPlan = {
    replica_id: "replica-1",
    engine_id: "e",
    images: 2,
    held: 0,
    missing_bytes: 0,
    compressed_bytes: 0,
    unknown_sizes: 0,
    asking: 0,
    unknown_reasons: [],
    room_bytes: 5e12,
    fits: "yes",
  };

  test("shows what would be pulled, and whether it fits, of a list of any length", async () => {
    const asked: number[] = [];
    const unknown_reasons = [{ reason: "r.test answers 503", images: 2 }];
    await using gateway = await startGateway({
      async planPrefetch({ body: { images, copies } }) {
        asked.push(images.length, copies);
        const bytes = { missing_bytes: 3e12, compressed_bytes: 1e12 };
        const count = { images: images.length, held: 1, unknown_sizes: 2, unknown_reasons };
        return { replicas: [{ ...part, ...bytes, ...count }] };
      },
    });
    const typed = Array.from({ length: MOST_PREFETCH_IMAGES + 1 }, (_, i) => `i-${i}`).join("\n");
    const { code, stdout } = await cli(["prefetch", "-", "--plan"], { gateway, typed });
    expect([code, asked]).toEqual([0, [10_000, 1, 1, 1]]);
    expect(stdout).toMatch(/replica-1 +10001 +2 +9999 +2\.0 TB +6\.0 TB +4 +5\.0 TB +no\n/);
    expect(stdout).toContain(
      "10,001 images on 1 replica, 9999 to pull: 2.0 TB compressed, 6.0 TB unpacked, 4 of unknown size\n",
    );
    expect(stdout).toContain("4 sizes unknown: r.test answers 503\n");
  });

  test("asks again until all sizes are known, or for a minute, and says how many are not", async () => {
    const left = [3, 1, 0];
    await using gateway = await startGateway({
      async planPrefetch() {
        const asking = left.shift() ?? 2;
        const [sizes, fits] = [{ compressed_bytes: 5e9 }, "likely" as const];
        return { replicas: [{ ...part, ...sizes, unknown_sizes: asking, asking, fits }] };
      },
    });
    const first = await cli(["prefetch", "-", "--plan"], { gateway, typed: "a\nb\n" });
    expect(first.stderr).toBe(
      "asking registries for sizes, 3 to go\nasking registries for sizes, 1 to go\n",
    );
    expect(first.stdout).toMatch(/ 5\.0 GB +0 B +0 +5\.0 TB +likely\n/);
    expect(first.stdout).toMatch(/: 5\.0 GB compressed\n$/);
    const second = await cli(["prefetch", "-", "--plan"], { gateway, typed: "a\nb\n" });
    expect([second.code, second.stdout]).toEqual([
      0,
      expect.stringMatching(/unknown\n[^]*2 sizes still asked for: the same command goes on/),
    ]);
  });

  test("says what a replica does not tell of its room", async () => {
    const one = { images: 2, held: 0, missing_bytes: 3e12, unknown_sizes: 1 };
    const replicas: PrefetchPlan[] = [
      { ...part, ...one, replica_id: "new", room_bytes: 1e12, fits: "no" },
      { ...part, ...one, replica_id: "old", room_bytes: null, fits: "unknown" },
    ];
    await using gateway = await startGateway({ planPrefetch: async () => ({ replicas }) });
    const plan = ["prefetch", "-", "--plan"];
    const { code, stdout } = await cli(plan, { gateway, typed: "a\nb\n" });
    expect(code).toBe(0);
    expect(stdout).toMatch(/new +2 +0 +2 +0 B +3\.0 TB +1 +1\.0 TB +no\n/);
    expect(stdout).toMatch(/old +2 +0 +2 +0 B +3\.0 TB +1 +unknown +unknown\n/);
    const json = await cli([...plan, "--json"], { gateway, typed: "a\nb\n" });
    expect(JSON.parse(json.stdout)).toEqual({ replicas });
  });
});
