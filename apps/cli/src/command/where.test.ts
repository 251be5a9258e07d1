import { expect, test } from "vitest";
import { cli, placement, startGateway } from "../cli-fixture.ts";

test("where says which replica and why, and shows the candidates in the ring's order", async () => {
  const asked: string[] = [];
  await using gateway = await startGateway({
    async placement({ query }) {
      asked.push(query.image);
      return placement();
    },
  });
  const { code, stdout } = await cli(["where", "python:3"], { gateway });
  expect([code, asked]).toEqual([0, ["python:3"]]);
  expect(stdout).toBe(
    [
      "replica-2 (cached) would start docker.io/library/python:3",
      "its engine holds the image",
      "its starts stay together there for another 1m 30s",
      "",
      "   REPLICA    STATE     HOLDS    LOAD  SOFT LIMIT  HARD LIMIT",
      "   replica-1  draining  nothing     3         7.5          10",
      "*  replica-2  ready     image       3         7.5          10",
      "",
    ].join("\n"),
  );
  const { stdout: json } = await cli(["where", "python:3", "--json"], { gateway });
  expect(JSON.parse(json)).toEqual(placement());
});

test("where says that draining all replicas has no effect", async () => {
  const { candidates, ...rest } = placement();
  const draining = candidates.map((one) => ({ ...one, state: "draining" as const }));
  await using gateway = await startGateway({
    placement: async () => ({ ...rest, candidates: draining }),
  });
  const { stdout } = await cli(["where", "python:3"], { gateway });
  expect(stdout).toContain(
    "\nall replicas are draining: while that is so, draining has no effect\n",
  );
});
