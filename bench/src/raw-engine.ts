import { z } from "zod";
import { engineSocket } from "./engine-socket.ts";
import { createHttp, expectStatus } from "./http.ts";
import { untilAlive } from "./until-alive.ts";

const Created = z.object({ Id: z.string() });
const Inspected = z.object({
  NetworkSettings: z.object({
    Networks: z.record(z.string(), z.object({ IPAddress: z.string() })),
  }),
});

export interface RawEngine {
  /** A container from nothing until its agent answers 200: create, start, inspect, GET /alive. Gives its id. */
  start(name: string): Promise<string>;
  remove(id: string): Promise<void>;
  /** One container from nothing to gone: create, start, inspect, GET /alive until 200, remove. */
  life(name: string): Promise<void>;
  close(): void;
}

/** The same containers as the server's, made with nothing in between: the bound of what any server can reach. */
export function createRawEngine({ image, network }: { image: string; network: string }): RawEngine {
  const engine = createHttp({ socketPath: engineSocket() });
  const body = containerOf({ image, network });

  async function start(name: string): Promise<string> {
    const created = await engine.send("POST", `/containers/create?name=${name}`, body);
    const { Id: id } = Created.parse(JSON.parse(expectStatus("create", created, [201])));
    expectStatus("start", await engine.send("POST", `/containers/${id}/start`), [204]);
    const inspected = await engine.send("GET", `/containers/${id}/json`);
    const { NetworkSettings } = Inspected.parse(
      JSON.parse(expectStatus("inspect", inspected, [200])),
    );
    const address = NetworkSettings.Networks[network]?.IPAddress ?? "";
    await untilAlive(`http://${address}:60000`);
    return id;
  }

  async function remove(id: string): Promise<void> {
    expectStatus("remove", await engine.send("DELETE", `/containers/${id}?force=1&v=1`), [204]);
  }

  return {
    start,
    remove,
    async life(name) {
      await remove(await start(name));
    },
    close: () => engine.close(),
  };
}

/** What the server sets, where that costs the engine something: an init process, cgroup limits, capabilities, labels. */
function containerOf({ image, network }: { image: string; network: string }): object {
  const memoryBytes = 4 * 1024 ** 3;
  return {
    Image: image,
    Entrypoint: ["stub_agent", "60000"],
    Cmd: [],
    WorkingDir: "/workspace",
    Env: ["SESSION_API_KEY=raw", "RUNTIME_ID=raw", "OH_SECRET_KEY=raw", "PYTHONUNBUFFERED=1"],
    Labels: { "openhands-bench": "raw", record: "x".repeat(1000) },
    HostConfig: {
      NetworkMode: network,
      Init: true,
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      CpuShares: 1024,
      PidsLimit: 4096,
      CapDrop: ["NET_RAW", "MKNOD"],
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "1" } },
      RestartPolicy: { Name: "no" },
    },
  };
}
