import { expect, it } from "vitest";
import { createPullProgress } from "./pull-progress.ts";

it("createPullProgress() adds layers up into one line with count, bytes and rate", () => {
  let now = 0;
  const progress = createPullProgress(() => now);
  expect(progress.add({ id: "1.0", status: "Pulling from library/x" })).toBe(
    "Pulling from library/x",
  );
  expect(progress.add({ id: "a", status: "Already exists" })).toBe("1/1 layers");
  progress.add({ id: "b", status: "Pulling fs layer" });
  expect(progress.add({ id: "c", status: "Waiting" })).toBe("1/3 layers");
  progress.add({ id: "b", status: "Downloading", progressDetail: { current: 0, total: 300e6 } });
  now = 2_000;
  expect(
    progress.add({
      id: "b",
      status: "Downloading",
      progressDetail: { current: 48e6, total: 300e6 },
    }),
  ).toBe("1/3 layers, 48/300 MB, 24 MB/s");
  progress.add({ id: "c", status: "Downloading", progressDetail: { current: 1e6, total: 5e6 } });
  now = 4_000;
  expect(
    progress.add({
      id: "b",
      status: "Downloading",
      progressDetail: { current: 299e6, total: 300e6 },
    }),
  ).toBe("1/3 layers, 300/305 MB, 126 MB/s");
});

it("createPullProgress() counts a layer as done once it is unpacked", () => {
  const progress = createPullProgress(() => 0);
  progress.add({ id: "a", status: "Downloading", progressDetail: { current: 1e6, total: 2.5e6 } });
  expect(progress.add({ id: "a", status: "Download complete" })).toBe("0/1 layers, 2.5/2.5 MB");
  // While it unpacks, the numbers are of another kind.
  const unpacking = { id: "a", status: "Extracting", progressDetail: { current: 3, total: 99 } };
  expect(progress.add(unpacking)).toBe("0/1 layers, 2.5/2.5 MB, extracting");
  expect(progress.add({ id: "a", status: "Pull complete" })).toBe("1/1 layers, 2.5/2.5 MB");
  expect(progress.add({ status: "Digest: sha256:0" })).toBe("1/1 layers, 2.5/2.5 MB");
});

it("createPullProgress() counts the layers of a push, those that the registry has among them", () => {
  const progress = createPullProgress(() => 0);
  progress.add({ status: "The push refers to repository [r.test/a]" });
  for (const id of ["a", "b", "c"]) progress.add({ id, status: "Preparing" });
  progress.add({ id: "a", status: "Layer already exists" });
  progress.add({ id: "b", status: "Mounted from other" });
  const pushing = { id: "c", status: "Pushing", progressDetail: { current: 1e6, total: 2.5e6 } };
  expect(progress.add(pushing)).toBe("2/3 layers, 1.0/2.5 MB");
  expect(progress.add({ id: "c", status: "Pushed" })).toBe("3/3 layers, 2.5/2.5 MB");
});
