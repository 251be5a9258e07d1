import { createMemoryRegistry } from "@remote-runtime/registry";
import { expect, test } from "vitest";
import { createPullLeases } from "./pull-leases.ts";
import { replicaInfo } from "./replica-info-example.ts";

const IMAGE = "docker.io/library/python:3";

test("take() names a replica of the engine that has the image, until it is given back or its time is over", async () => {
  let nowMs = 0;
  await using resources = new AsyncDisposableStack();
  const registry = createMemoryRegistry({ now: () => nowMs });
  resources.defer(() => registry.close());
  const [one, two] = ["one", "two"].map((engineId) => createPullLeases({ engineId, registry }));
  if (!one || !two) throw new Error("two");
  await registry.announce(replicaInfo("r1", { engineId: "one" }), 60_000);
  expect(await one.take(IMAGE)).toBeUndefined();
  // Another replica of that engine.
  expect(await createPullLeases({ engineId: "one", registry }).take(IMAGE)).toBeUndefined();
  expect(await two.take(IMAGE)).toBe("r1");
  await two.release(IMAGE);
  expect(await two.take(IMAGE)).toBe("r1");
  await one.release(IMAGE);
  expect(await two.take(IMAGE)).toBeUndefined();
  expect(await one.take(IMAGE)).toBe("on engine two");
  nowMs += 15_000;
  expect(await one.take(IMAGE)).toBeUndefined();
});
