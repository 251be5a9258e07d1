import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import type { ImageParts } from "./manifest-reader.ts";
import { createPublishedSizes } from "./published-sizes.ts";
import { RegistryAwayError } from "./registry-away-error.ts";

type Say = (name: string) => ImageParts | Promise<ImageParts>;

/** Registries that answer what `says` has for their host; it counts who is asked, and how many at once. */
function fixture(says: Record<string, Say>, answerWithinMs = 5_000) {
  const asked: string[] = [];
  let [now, atOnce, most] = [0, 0, 0];
  const sizes = createPublishedSizes({
    registries: {
      async parts(name) {
        asked.push(name);
        atOnce += 1;
        most = Math.max(most, atOnce);
        // A turn of the loop, as for any answer that comes over the wire.
        await new Promise(setImmediate);
        try {
          const say = says[name.split("/")[0] ?? ""];
          if (!say) throw new ServiceError("not_found", "absent");
          return await say(name);
        } finally {
          atOnce -= 1;
        }
      },
    },
    mirrors: [{ registry: "docker.io", folder: "m.test/hub" }],
    now: () => now,
    answerWithinMs,
  });
  return { sizes, asked, most: () => most, pass: (ms: number) => void (now += ms) };
}

const names = (count: number, host = "r.test"): string[] =>
  Array.from({ length: count }, (_, i) => `${host}/i-${i}:1`);
const part = (digest: string, sizeBytes: number) => ({ digest, sizeBytes });
const layered: Say = (name) => ({ parts: [part("base", 1_000), part(name, 10)] });
const never: Say = () => new Promise(() => undefined);

describe("sum()", () => {
  test("counts what images share once, and asks once for each", async () => {
    const { sizes, asked, most, pass } = fixture({ "r.test": layered });
    const list = names(100);
    const sum = { known: 100, asking: 0, bytes: 2_000, unknown: new Map() };
    expect(await Promise.all([sizes.sum([...list, "r.test/i-0:1"]), sizes.sum(list)])).toEqual([
      sum,
      sum,
    ]);
    expect(await sizes.sum(list.slice(0, 2))).toMatchObject({ known: 2, bytes: 1_020 });
    expect(asked).toEqual(list);
    expect(most()).toBe(64);
    pass(600_001);
    await sizes.sum(list);
    expect(asked).toHaveLength(200);
  });

  test("tells why sizes are not known, each reason once, and asks a registry that is away no more", async () => {
    const { sizes, asked, pass } = fixture({
      "r.test": layered,
      "busy.test": () => {
        throw new RegistryAwayError("busy.test wants to be asked less (429)");
      },
    });
    const list = [...names(40, "busy.test"), ...names(5, "none.test"), ...names(2), "localhost/a"];
    const first = await sizes.sum(list);
    expect(first).toMatchObject({ known: 2, asking: 0, bytes: 1_020 });
    expect(Object.fromEntries(first.unknown)).toEqual({
      "busy.test wants to be asked less (429)": 40,
      absent: 5,
      "localhost is no registry": 1,
    });
    expect(asked.filter((name) => name.startsWith("busy"))).toHaveLength(1);
    pass(120_001);
    await sizes.sum(list);
    expect(asked.filter((name) => name.startsWith("busy"))).toHaveLength(2);
  });

  test("asks a mirror first, and its registry where that has it not or is away", async () => {
    const { sizes, asked } = fixture({ "docker.io": layered });
    expect(await sizes.sum(["a", "b"])).toMatchObject({ known: 2 });
    expect(asked.filter((name) => name.includes("/a:"))).toEqual([
      "m.test/hub/library/a:latest",
      "docker.io/library/a:latest",
    ]);
    const away: Say = () => {
      throw new RegistryAwayError("m.test does not answer");
    };
    const other = fixture({ "m.test": away, "docker.io": layered });
    expect(await other.sizes.sum(["a", "b"])).toMatchObject({ known: 2 });
    expect(other.asked.filter((name) => name.startsWith("m.test"))).toHaveLength(1);
    const near = fixture({ "m.test": layered });
    expect(await near.sizes.sum(["a"])).toMatchObject({ known: 1 });
    expect(near.asked).toEqual(["m.test/hub/library/a:latest"]);
  });

  test("leaves half of what a registry allows to pulls", async () => {
    let left = 100;
    const counting: Say = async (name) => {
      left -= 2;
      return { ...(await layered(name)), allowance: { all: 100, left } };
    };
    const { sizes, asked, most } = fixture({ "r.test": counting });
    const sum = await sizes.sum(names(200));
    expect(left).toBeGreaterThanOrEqual(50);
    expect(asked.length).toBeGreaterThan(20);
    expect(most()).toBe(4);
    expect(sum).toMatchObject({ known: asked.length, asking: 0 });
    const [[reason = "", count] = []] = sum.unknown;
    expect([reason, count]).toEqual([
      `r.test allows ${left} of 100 more questions, which are left for pulls`,
      200 - asked.length,
    ]);
  });

  test("answers in time, asks on only while somebody waits, and who asks again learns the rest", async () => {
    const gate = Promise.withResolvers<void>();
    const slow: Say = (name) => gate.promise.then(() => layered(name));
    const { sizes, asked } = fixture({ "slow.test": slow, "silent.test": never }, 20);
    const list = names(90, "slow.test");
    expect(await sizes.sum([...list, "silent.test/a"])).toMatchObject({ known: 0, asking: 91 });
    expect(asked).toEqual(["slow.test/i-0:1"]);
    gate.resolve();
    while ((await sizes.sum(list)).known < 90);
    expect(asked).toEqual(list);
  });
});
