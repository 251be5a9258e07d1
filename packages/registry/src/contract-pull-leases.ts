import { expect, test } from "vitest";
import { eventually, FOREVER_MS, SOON_MS, type RegistryFixture } from "./contract-fixture.ts";

/** The part of the contract about who pulls an image for all. */
export function describePullLeaseContract(make: () => Promise<RegistryFixture>): void {
  test("leasePull() gives an image to the first, until it gives it back", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    expect(await registry.leasePull("a:1", "e1", FOREVER_MS)).toBe("e1");
    expect(await other.leasePull("a:1", "e2", FOREVER_MS)).toBe("e1");
    expect(await other.leasePull("b:1", "e2", FOREVER_MS)).toBe("e2");
    await other.releasePull("a:1", "e2");
    await other.releasePull("c:1", "e2");
    expect(await other.leasePull("a:1", "e2", FOREVER_MS)).toBe("e1");
    await registry.releasePull("a:1", "e1");
    expect(await other.leasePull("a:1", "e2", FOREVER_MS)).toBe("e2");
    // Starts of the image are another matter.
    expect(await registry.shareGroup("a:1", "r1", FOREVER_MS)).toBe("r1");
  });

  test("leasePull() by the holder begins its time anew, by another it does not", async () => {
    await using fixture = await make();
    const { registry, other, elapse } = fixture;
    await registry.leasePull("a:1", "e1", SOON_MS);
    await registry.leasePull("b:1", "e1", SOON_MS);
    expect(await registry.leasePull("a:1", "e1", FOREVER_MS)).toBe("e1");
    expect(await other.leasePull("b:1", "e2", FOREVER_MS)).toBe("e1");
    elapse(SOON_MS);
    await eventually(async () => {
      expect(await other.leasePull("b:1", "e2", FOREVER_MS)).toBe("e2");
    });
    expect(await other.leasePull("a:1", "e2", FOREVER_MS)).toBe("e1");
  });

  test("leasePull() of twenty at once has one winner", async () => {
    await using fixture = await make();
    const { registry, other } = fixture;
    const leases = Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? registry : other).leasePull("a:1", `e${i}`, FOREVER_MS),
    );
    expect(new Set(await Promise.all(leases)).size).toBe(1);
  });
}
