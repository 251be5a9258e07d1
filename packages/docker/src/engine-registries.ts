import { BlockList, isIP } from "node:net";
import { z } from "zod";
import type { Docker } from "./create-docker.ts";
import { engineCall } from "./engine-call.ts";

export type Platform = { os: string; architecture: string };

/** How an engine pulls. */
export type EngineRegistries = {
  /** As images name it: `linux`, `amd64`. */
  platform: Platform;
  /** Whether it asks this registry, a host with its port, without TLS. */
  isPlain(host: string): boolean;
};

const Info = z.object({
  RegistryConfig: z
    .object({
      InsecureRegistryCIDRs: z.array(z.string()).nullish(),
      IndexConfigs: z.record(z.string(), z.object({ Secure: z.boolean() })).nullish(),
    })
    .nullish(),
});
const Version = z.object({ Os: z.string(), Arch: z.string() });

/** Asks the engine; its `insecure-registries` and the loopback addresses are what it takes without TLS. */
export async function engineRegistries(docker: Docker): Promise<EngineRegistries> {
  const [info, version] = await engineCall("registries of the engine", async () => [
    Info.parse(await docker.info()),
    Version.parse(await docker.version()),
  ]);
  const { InsecureRegistryCIDRs: cidrs, IndexConfigs: hosts } = info.RegistryConfig ?? {};
  const networks = new BlockList();
  for (const cidr of [...(cidrs ?? []), "127.0.0.0/8", "::1/128"]) {
    const [address = "", bits = ""] = cidr.split("/");
    const version = isIP(address);
    if (version !== 0) networks.addSubnet(address, Number(bits), version === 4 ? "ipv4" : "ipv6");
  }
  return {
    platform: { os: version.Os, architecture: version.Arch },
    isPlain(host) {
      const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
      const kind = isIP(name);
      if (hosts?.[host]?.Secure === false || name === "localhost") return true;
      return kind !== 0 && networks.check(name, kind === 4 ? "ipv4" : "ipv6");
    },
  };
}
