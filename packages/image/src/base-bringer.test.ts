import { ServiceError } from "@remote-runtime/protocol";
import { describe, expect, test } from "vitest";
import { createBaseBringer } from "./base-bringer.ts";
import type { EngineImage } from "./image-engine.ts";
import type { ImageStore } from "./image-store.ts";
import { RegistryBusyError } from "./registry-away-error.ts";

const image: EngineImage = {
  id: "sha256:1",
  references: [],
  sizeBytes: 1,
  createdAt: 0,
  entrypoint: [],
  command: [],
};

function bringing(fetch: ImageStore["fetch"], now = () => 0) {
  const { bring } = createBaseBringer({ images: { fetch }, now });
  let log = "";
  const controller = new AbortController();
  const all = (...names: string[]): Promise<void> =>
    bring(names, (text) => (log += text), controller.signal);
  return { all, log: () => log, abort: () => controller.abort() };
}

describe("createBaseBringer()", () => {
  test("bring() tells of pulls only, and of each not more than every ten seconds", async () => {
    let time = 0;
    const { all, log } = bringing(
      async (name, policy, onProgress) => {
        if (name === "held") return image;
        expect(policy).toBe("IfNotPresent");
        for (time = 0; time <= 15_000; time += 1_000) onProgress(`at ${time} ms`);
        return image;
      },
      () => time,
    );
    await all("held", "absent");
    expect(log()).toBe(
      "=> fetching base image absent\nat 10000 ms\n=> fetched base image absent\n",
    );
  });

  test("bring() leaves to the builder what cannot be had, and goes on", async () => {
    const { all, log } = bringing(async (name) => {
      if (name === "second") return image;
      throw new ServiceError("not_found", "nobody has it");
    });
    await all("first", "second");
    expect(log()).toBe("WARNING base image first is left to the builder: nobody has it\n");
  });

  test("bring() fails while a registry wants to be left alone, which the builder would not do", async () => {
    const { all, log } = bringing(async () => {
      throw new RegistryBusyError("toomanyrequests");
    });
    await expect(all("first")).rejects.toMatchObject({
      code: "unavailable",
      message: "first: toomanyrequests",
    });
    expect(log()).toBe("");
  });

  test("bring() ends when it is given up", async () => {
    const { all, abort } = bringing(async () => {
      abort();
      throw new ServiceError("unavailable", "given up");
    });
    await expect(all("first", "second")).rejects.toThrow("given up");
  });
});
