import { expect, test } from "vitest";
import { cli, startGateway } from "../cli-fixture.ts";

test("pins lists who pinned what and when, and unpin takes a list back", async () => {
  const unpinned: string[][] = [];
  const pin = { image: "docker.io/library/a:latest", pinned_by: "alice", pinned_at: "2026-01-01" };
  let pins = [pin];
  await using gateway = await startGateway({
    pins: async () => ({ pins }),
    async unpin({ body }) {
      unpinned.push(body.images);
      return { unpinned: 1 };
    },
  });
  expect((await cli(["pins"], { gateway })).stdout).toBe(
    [
      "IMAGE                       PINNED BY  SINCE",
      "docker.io/library/a:latest  alice      2026-01-01",
      "",
      "1 image pinned",
      "",
    ].join("\n"),
  );
  expect(JSON.parse((await cli(["pins", "--json"], { gateway })).stdout)).toEqual({ pins });
  pins = [];
  expect((await cli(["pins"], { gateway })).stdout).toBe("no image is pinned\n");
  const { stdout } = await cli(["unpin", "-", "--pattern", "r.example.com/{id}"], {
    gateway,
    typed: "A__1\nb:1",
  });
  expect(unpinned).toEqual([["r.example.com/a__1:latest", "docker.io/library/b:1"]]);
  expect(stdout).toBe("1 image unpinned; 1 were not pinned\n");
});
