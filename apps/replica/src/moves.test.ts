import { createMemoryRegistry, type Change } from "@remote-runtime/registry";
import { expect, onTestFinished, test } from "vitest";
import { createMoves } from "./moves.ts";

function start() {
  const registry = createMemoryRegistry({ now: () => 0 });
  const listeners = new Set<(change: Change) => void>();
  const moves = createMoves({
    registry: {
      onChange(listener) {
        listeners.add(listener);
        const end = registry.onChange(listener);
        return () => {
          listeners.delete(listener);
          end();
        };
      },
    },
    isHere: (id) => id === "here",
  });
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const ended = moves.run(ending.signal);
  const tell = (change: Change): void => listeners.forEach((listener) => listener(change));
  return { registry, moves, tell, end: () => ending.abort(), ended };
}

test("hasMoved() while the latest group of the image goes to another engine", async () => {
  const { registry, moves } = start();
  expect(moves.hasMoved("a:1")).toBe(false);
  await registry.shareGroup("a:1", "there", 1_000);
  await registry.shareGroup("b:1", "here", 1_000);
  expect(["a:1", "b:1"].map(moves.hasMoved)).toEqual([true, false]);
  await registry.shareGroup("a:1", "here", 1_000, "there");
  expect(moves.hasMoved("a:1")).toBe(false);
});

test("hasMoved() of nothing any more once something may have been missed", async () => {
  const { registry, moves, tell } = start();
  await registry.shareGroup("a:1", "there", 1_000);
  tell({ kind: "unknown" });
  expect(moves.hasMoved("a:1")).toBe(false);
});

test("run() ends with its signal, and listens no more", async () => {
  const { registry, moves, end, ended } = start();
  end();
  await ended;
  await registry.shareGroup("a:1", "there", 1_000);
  expect(moves.hasMoved("a:1")).toBe(false);
});
