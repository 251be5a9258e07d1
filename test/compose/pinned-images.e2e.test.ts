import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const Compose = z.object({ services: z.record(z.string(), z.object({ image: z.string() })) });

async function textOf(path: string): Promise<string> {
  return readFile(new URL(`../../${path}`, import.meta.url), "utf8");
}

test("compose runs exact versions of what others publish, the same as Kubernetes and as ensure-images.sh gets", async () => {
  const { services } = Compose.parse(parse(await textOf("docker-compose.yml")));
  const images = Object.values(services).map(({ image }) => image);
  for (const image of images) expect(image).toMatch(/:\d+\.\d+\.\d+(-[a-z]+)?$/);
  const script = await textOf("scripts/ensure-images.sh");
  for (const name of ["redis", "registry"]) {
    expect(script).toContain(` ${name}) echo ${services[name]?.image} ;;\n`);
  }
  expect(await textOf("k8s_deploy/base/redis.yaml")).toContain(
    `image: ${services["redis"]?.image}\n`,
  );
});
