import { describe, expect, test } from "vitest";
import { createUploadRoom, type UploadShare } from "./upload-room.ts";

const MIB = 1024 * 1024;
const { signal } = new AbortController();
const FULL = { code: "too_many_requests" };

/** A room of 10 MiB on a disk that has so much free; `wrote` tells what has been written. */
function roomOn({ freeMib = 1000, reserveMib = 0, waitMs = 60_000 } = {}) {
  const disk = { freeBytes: freeMib * MIB, reserveBytes: reserveMib * MIB };
  const room = createUploadRoom({ maxBytes: 10 * MIB, space: () => disk });
  const write = async (share: UploadShare, mib: number): Promise<void> => {
    await share.write(mib * MIB, signal);
    disk.freeBytes -= mib * MIB;
  };
  return { enter: () => room.enter(waitMs), disk, write };
}

/** Whose turn has come, in that order. */
function watchTurns() {
  const turns: string[] = [];
  const watch = (name: string, waiting: Promise<void>): Promise<unknown> =>
    waiting.then(() => turns.push(name));
  return { turns, watch };
}

describe("createUploadRoom()", () => {
  test("serves who came first first, and one under way before all that came later", async () => {
    const { enter } = roomOn();
    const { turns, watch } = watchTurns();
    const [growing, large, second, third] = [enter(), enter(), enter(), enter()];
    await growing.write(MIB, signal);
    await large.promise(9 * MIB, signal);
    const waiting = [
      watch("third", third.promise(2 * MIB, signal)),
      watch("second", second.promise(5 * MIB, signal)),
      watch("growing", growing.write(4 * MIB, signal)),
    ];
    // Part of the promise was not needed.
    large.settle(5 * MIB);
    await waiting[2];
    expect(turns).toEqual(["growing"]);
    // Now there is room for the second or for the third.
    growing[Symbol.dispose]();
    await waiting[1];
    expect(turns).toEqual(["growing", "second"]);
    large[Symbol.dispose]();
    await Promise.all(waiting);
    expect(turns).toEqual(["growing", "second", "third"]);
  });

  test("promises what the disk has beside the reserve once, whatever is written of it by then", async () => {
    const { enter, write } = roomOn({ freeMib: 8, reserveMib: 2, waitMs: 10 });
    const [first, second, third] = [enter(), enter(), enter()];
    await first.promise(4 * MIB, signal);
    await expect(second.promise(3 * MIB, signal)).rejects.toMatchObject(FULL);
    await write(first, 3);
    await expect(second.promise(3 * MIB, signal)).rejects.toMatchObject(FULL);
    await second.promise(2 * MIB, signal);
    await write(first, 1);
    await write(second, 2);
    await expect(third.write(1, signal)).rejects.toMatchObject({
      ...FULL,
      message: expect.stringMatching(/take 6 MiB of 10 here, and 2 MiB are free on the disk/),
    });
  });

  test("keeps half of the reserve when others fill the disk, whatever it has promised", async () => {
    const { enter, disk, write } = roomOn({ freeMib: 10, reserveMib: 4, waitMs: 10 });
    const share = enter();
    await share.promise(6 * MIB, signal);
    disk.freeBytes = 3 * MIB;
    await write(share, 1);
    await expect(share.write(1, signal)).rejects.toMatchObject(FULL);
    const later = roomOn({ freeMib: 10, reserveMib: 4 });
    const waiting = later.enter();
    await waiting.promise(6 * MIB, signal);
    later.disk.freeBytes = MIB;
    const written = waiting.write(MIB, signal);
    // Nobody tells of it; it is looked for.
    later.disk.freeBytes = 5 * MIB;
    await written;
  });

  test("lets one that would find no room even alone keep nobody from going first", async () => {
    const { enter, write } = roomOn({ freeMib: 6, waitMs: 10 });
    const [huge, small] = [enter(), enter()];
    const waiting = huge.promise(7 * MIB, signal);
    await small.promise(5 * MIB, signal);
    await write(small, 5);
    await expect(waiting).rejects.toMatchObject(FULL);
  });

  test("gives up one at a time of those that wait for each other, the last to come", async () => {
    const { enter } = roomOn({ waitMs: 10 });
    const shares = [enter(), enter(), enter()];
    for (const share of shares) await share.write(3 * MIB, signal);
    const ends = shares.map(async (share) => {
      try {
        await share.write(3 * MIB, signal);
        return "written";
      } catch (error) {
        share[Symbol.dispose]();
        return (error as { code: string }).code;
      }
    });
    expect(await Promise.all(ends)).toEqual(["written", "too_many_requests", "too_many_requests"]);
  });

  test("ends a wait whose signal aborts, and lets the next one in", async () => {
    const { enter } = roomOn();
    const [holder, gone, next] = [enter(), enter(), enter()];
    await holder.promise(5 * MIB, signal);
    const ending = new AbortController();
    const waiting = gone.promise(6 * MIB, ending.signal);
    const following = next.promise(5 * MIB, signal);
    ending.abort(new Error("hung up"));
    await expect(waiting).rejects.toThrow("hung up");
    await following;
  });

  test("lets 256 wait", async () => {
    const { enter } = roomOn();
    const holder = enter();
    await holder.promise(10 * MIB, signal);
    const ending = new AbortController();
    const waiting = Array.from({ length: 256 }, () => enter().promise(1, ending.signal));
    expect(enter).toThrow(/256 builds wait for room already/);
    ending.abort();
    await Promise.allSettled(waiting);
  });
});
