import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { canBind, createPortPicker, heldPorts, type PortPickerOptions } from "./port-picker.ts";

function picker(options: Partial<PortPickerOptions> = {}) {
  return createPortPicker({
    first: 20_000,
    last: 20_004,
    held: async () => new Set(),
    isFree: async () => true,
    share: () => ({ index: 0, count: 1 }),
    random: () => 0.5,
    now: () => 0,
    ...options,
  });
}

describe("createPortPicker()", () => {
  test("begins anywhere in the range and takes the next one that nobody has", async () => {
    expect(await picker()(new Set())).toBe(20_002);
    const crowded = picker({
      held: async () => new Set([20_003]),
      isFree: async (port) => port !== 20_004,
    });
    expect(await crowded(new Set([20_002]))).toBe(20_000);
  });

  test("begins in the replica's own part of the range, and goes on in the others'", async () => {
    const own = (index: number) => picker({ last: 20_009, share: () => ({ index, count: 3 }) });
    const picked = [0, 1, 2].map((index) => own(index)(new Set()));
    expect(await Promise.all(picked)).toEqual([20_001, 20_004, 20_008]);
    const taken = new Set<number>();
    const pick = own(1);
    for (let i = 0; i < 10; i += 1) taken.add(await pick(taken));
    expect(new Set([...taken].slice(0, 3))).toEqual(new Set([20_003, 20_004, 20_005]));
    expect(taken.size).toBe(10);
    await expect(pick(taken)).rejects.toMatchObject({ code: "conflict" });
  });

  test("goes by one list of the engine for a second", async () => {
    let [asked, now] = [0, 0];
    const held = async () => new Set([20_000 + (asked += 1)]);
    const pick = picker({ held, now: () => now, random: () => 0 });
    await Promise.all([pick(new Set()), pick(new Set())]);
    now = 999;
    await pick(new Set());
    expect(asked).toBe(1);
    now = 1_000;
    await pick(new Set());
    expect(asked).toBe(2);
  });

  test("says which setting to change when all are in use", async () => {
    await expect(picker({ isFree: async () => false })(new Set())).rejects.toThrow(
      /SANDBOX_PORT_RANGE=20000-20004/,
    );
  });

  test("goes on without the engine's list when the engine does not answer", async () => {
    const held = () => Promise.reject(new Error("away"));
    expect(await picker({ held })(new Set())).toBe(20_002);
  });
});

test("heldPorts() counts what is published and what paused sandboxes will need again", async () => {
  const sandbox = (recordLabel: string) => ({
    id: "abcdefghijklmnop",
    replicaId: "other",
    recordLabel,
    state: { kind: "exited", exitCode: 0, oomKilled: false } as const,
    endpoints: {},
  });
  const engine = {
    publishedPorts: async () => new Set([20_000]),
    list: async () => [sandbox('{"hostPort":20001}'), sandbox('{"hostPort":null}'), sandbox("{")],
  };
  expect(await heldPorts(engine)).toEqual(new Set([20_000, 20_001]));
});

test("canBind() tells a port in use from a free one", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  expect(await canBind("127.0.0.1", port)).toBe(false);
  await new Promise((resolve) => server.close(resolve));
  expect(await canBind("127.0.0.1", port)).toBe(true);
});
