import { expect, test, vi } from "vitest";
import { eventually, type RegistryFixture } from "./contract-fixture.ts";
import { MOST_PINS, type Pin } from "./pin.ts";

const mine: Pin = { by: "alice", at: 1_700_000_000_000 };
const theirs: Pin = { by: "bob", at: 1_700_000_000_001 };

function pinsOf(images: readonly string[], pin = mine): Map<string, Pin> {
  return new Map(images.map((image) => [image, pin]));
}

/** The part of the contract about images that are not to be evicted. */
export function describePinContract(make: () => Promise<RegistryFixture>): void {
  test("pin() keeps the first one's word, and unpin() takes it back", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.pins()).toEqual(new Map());
    expect(await registry.pin(pinsOf(["a:1", "b:1"]))).toBe(2);
    expect(await other.pin(pinsOf(["b:1", "c:1"], theirs))).toBe(1);
    expect(await other.pins()).toEqual(
      new Map([...pinsOf(["a:1", "b:1"]), ...pinsOf(["c:1"], theirs)]),
    );
    expect(await other.unpin(["a:1", "none:1", "b:1", "a:1"])).toBe(2);
    expect(await registry.unpin(["a:1"])).toBe(0);
    expect(await registry.pins()).toEqual(pinsOf(["c:1"], theirs));
    expect(await registry.unpin([])).toBe(0);
    expect(await registry.pin(new Map())).toBe(0);
  });

  test("restorePins() brings back nothing that was unpinned, until it is pinned again", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    await registry.pin(pinsOf(["a:1", "b:1", "c:1"]));
    await registry.unpin(["a:1", "b:1"]);
    expect(await other.restorePins(pinsOf(["a:1", "b:1", "c:1"]))).toBe(0);
    expect(await registry.pins()).toEqual(pinsOf(["c:1"]));
    expect(await registry.pin(pinsOf(["a:1"], theirs))).toBe(1);
    expect(await other.restorePins(pinsOf(["a:1", "b:1"]))).toBe(0);
    expect(await registry.pins()).toEqual(
      new Map([...pinsOf(["c:1"]), ...pinsOf(["a:1"], theirs)]),
    );
  });

  test("pin() of thousands is whole, and refuses what would be too many without writing any", async () => {
    await using fixture = await make();
    const { registry } = fixture;
    const names = Array.from(
      { length: MOST_PINS },
      (_, i) => `docker.io/library/image-${i}:latest`,
    );
    for (let from = 0; from < names.length; from += 10_000) {
      await registry.pin(pinsOf(names.slice(from, from + 10_000)));
    }
    await expect(registry.pin(pinsOf([...names.slice(0, 10), "one:more"]))).rejects.toMatchObject({
      name: "ServiceError",
      code: "conflict",
      message: expect.stringContaining("100,000") as string,
    });
    expect([...(await registry.pins()).keys()].toSorted()).toEqual(names.toSorted());
    expect(await registry.pin(pinsOf(names.slice(0, 10)))).toBe(0);
  });

  test("onChange() tells of pins when they change", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const told = vi.fn<(kind: string) => void>();
    other.onChange(({ kind }) => told(kind));
    let at = 0;
    // Until the connection for messages is there, nothing is told.
    await eventually(async () => {
      await registry.pin(pinsOf([`mark-${(at += 1)}:1`]));
      expect(told).toHaveBeenCalledWith("pins");
    });
    told.mockClear();
    await registry.unpin(["mark-1:1"]);
    await eventually(() => expect(told).toHaveBeenCalledWith("pins"));
  });
}
