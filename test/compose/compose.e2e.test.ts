import { once } from "node:events";
import { ensureStubImage } from "@remote-runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createClientReplay } from "../conformance/client-replay.ts";
import { CLIENT_TRACES } from "../conformance/client-trace.ts";
import { apiOf, type Api } from "../support/api.ts";
import { docker } from "../support/docker.ts";
import { stubOf } from "../support/sandbox.ts";
import { stubStart } from "../support/stub-start.ts";
import { until } from "../support/until.ts";
import { createComposeProject, type ComposeProject } from "./compose-project.ts";
import { askHomes, countsOf, type ImageHomes, imageNames, moved } from "./image-homes.ts";
import { createRingView, LEAVE_MS, type RingView } from "./ring-view.ts";

const V1_SDK = {
  command: "/usr/local/bin/openhands-agent-server --port 60000",
  image_pull_policy: "IfNotPresent",
  run_as_user: 10001,
  fs_group: 10001,
};
const UP_MS = 280_000;

let project: ComposeProject;
let api: Api;
let image: string;
let images: string[];
let ring: RingView;

beforeAll(async () => {
  image = await ensureStubImage({ log: console.error });
  images = await imageNames();
  // The stub agent writes nothing to disk at its end.
  project = await createComposeProject({ PAUSE_GRACE_SECONDS: "1" });
  api = apiOf(project);
  ring = createRingView(project, api, images);
  await project.script(["up"], { REPLICAS: "4" });
  await ring.allLead(await project.replicas());
}, UP_MS);

afterAll(async () => {
  await project.script(["down", "--timeout", "1"]);
}, UP_MS);

async function containerId(name: string): Promise<string> {
  return docker("inspect", "--format", "{{.Id}}", name);
}

describe("four replicas", () => {
  test("and their gateway are healthy, and run as nobody in particular where no socket asks for more", async () => {
    const format = "{{.Config.User}} {{.State.Health.Status}}";
    const states = await docker(
      "inspect",
      "--format",
      format,
      `${project.name}-gateway-1`,
      ...(await project.replicas()).map(({ container }) => container),
    );
    const [gateway, ...others] = states.split("\n");
    expect(gateway).toBe("1000:1000 healthy");
    expect(others).toHaveLength(4);
    for (const state of others) expect(state).toMatch(/ healthy$/);
  });

  test("share 200 images evenly, each always with the same one, over a restart of the gateway", async () => {
    const homes = await ring.allLead(await project.replicas());
    for (const count of countsOf(homes).values()) {
      expect(count).toBeGreaterThan(25);
      expect(count).toBeLessThan(80);
    }
    expect(moved(homes, await ring.homes())).toEqual([]);
    await project.compose(["up", "--detach", "--wait", "--no-deps", "--force-recreate", "gateway"]);
    expect(moved(homes, await ring.allLead(await project.replicas()))).toEqual([]);
  });

  test("ask sandboxes with a port of their own at that port before they call them ready", async () => {
    // What they say when they cannot, and ask through their own proxy.
    expect(await project.compose(["logs", "--no-color", "replica"])).not.toContain(
      "cannot be dialled from here",
    );
  });

  test.each(CLIENT_TRACES)("serve $client", async (trace) => {
    const session = trace.newSession();
    const client = createClientReplay(trace, { ...project, image }, session);
    const { held, how } = await client.connect();
    expect(how).toBe("started");
    const urls = (await project.replicas()).map(({ url }) => url);
    const { origin, port } = new URL(held.url);
    // The SDK's sandboxes have a port of their own.
    if (trace.client.startsWith("openhands-sdk")) {
      expect(Number(port)).toBeLessThan(30_000);
      // What a replica says that has to do without the answer there.
      expect(await project.compose(["logs", "--no-color", "replica"])).not.toContain(
        "but not at its published port",
      );
    } else expect(urls).toContain(origin);
    // Another client of the session goes through the gateway, whether the first one did or not.
    expect((await api.session(session)).runtime_id).toBe(held.id);
    if (trace.pauses) {
      await client.pause();
      expect(
        await createClientReplay(trace, { ...project, image }, session).connect(),
      ).toMatchObject({
        how: "resumed",
        held,
      });
    }
    await client.stop();
    expect((await api.get(`/sessions/${session}`)).status).toBe(404);
  });

  test("a killed one is spoken for by its records, passed over by starts, and goes on when it is back", async () => {
    const [runtime, unwanted] = [
      await api.startReady(stubStart(image)),
      await api.startReady(stubStart(image)),
    ];
    const container = await containerId(runtime.runtime_id);
    const replica = await ring.homeOf(runtime);
    expect(await ring.homeOf(unwanted)).toEqual(replica);
    await docker("kill", replica.container);

    const ids = `/sessions/batch?ids=${runtime.session_id}`;
    for (const path of [
      `/runtime/${runtime.runtime_id}`,
      `/sessions/${runtime.session_id}`,
      ids,
      "/list",
    ]) {
      const answer = await api.get(path);
      expect(answer.status, path).toBe(200);
      expect(answer.text, path).toContain(runtime.runtime_id);
    }
    const other = await api.startReady(stubStart(image));
    expect((await ring.homeOf(other)).number).not.toBe(replica.number);
    await api.stop(other.runtime_id);

    // Once it has left the registry a stop waits for its return.
    const stop = () => api.post("/stop", { runtime_id: unwanted.runtime_id });
    await until(stop, ({ status }) => status === 200, { deadlineMs: LEAVE_MS, what: "a stop" });

    await docker("start", replica.container);
    await ring.allLead(await project.replicas());
    await until(
      () => project.sandboxes(),
      (names) => !names.includes(unwanted.runtime_id),
      { what: "the removal of the stopped one" },
    );
    const back = await ring.answering(runtime.runtime_id);
    expect(back.session_api_key).toBe(runtime.session_api_key);
    expect(await stubOf(runtime).sh("echo at the old URL")).toBe("at the old URL");
    expect(await containerId(runtime.runtime_id)).toBe(container);
    await api.stop(runtime.runtime_id);
  });

  test("a stopped one leaves the ring: its images move, all others stay", async () => {
    const before = await ring.idleHomes();
    const [first, ...others] = await project.replicas();
    if (!first) throw new Error("no replica");
    await docker("stop", first.container);
    const after = await ring.allLead(others);
    const its = images.filter((name) => before.get(name) === first.url);
    expect(moved(before, after)).toEqual(its);
    await docker("start", first.container);
    // Its port is its own again, so all is as it was.
    expect(await project.replicas()).toMatchObject([{ url: first.url }, ...others]);
    await until(ring.homes, (again) => moved(before, again).length === 0, {
      deadlineMs: LEAVE_MS,
      what: "the images back where they were",
    });
  });

  test("a fifth joins with no restart, and ends when told to only after its last runtime", async () => {
    const before = await ring.idleHomes();
    const four = await project.replicas();
    const grace = { SHUTDOWN_GRACE_SECONDS: "60" };
    const up = ["up", "--detach", "--wait", "--no-recreate", "--scale"];
    await project.compose([...up, "replica=5", "replica"], grace);
    const five = await project.replicas();
    expect(five.slice(0, 4)).toEqual(four);
    const fifth = five[4];
    if (!fifth) throw new Error("no fifth replica");
    const after = await ring.allLead(five);
    const its = images.filter((name) => after.get(name) === fifth.url);
    expect(moved(before, after)).toEqual(its);

    const runtime = await apiOf({ url: fifth.url, key: project.key }).startReady(stubStart(image));
    await docker("kill", "--signal", "TERM", fifth.container);
    const without = await ring.allLead(four);
    expect(moved(before, without)).toEqual([]);
    expect((await ring.homeOf(await ring.answering(runtime.runtime_id))).number).toBe(fifth.number);
    await api.stop(runtime.runtime_id);
    const state = () =>
      docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", fifth.container);
    await until(state, (seen) => seen === "exited 0", {
      what: "the end of the fifth",
      deadlineMs: 15_000,
    });
    await project.compose([...up, "replica=4", "replica"]);
    expect(await project.replicas()).toEqual(four);
  });

  test("go on without Redis, and publish everything again when it comes back empty", async () => {
    const before = await ring.idleHomes();
    const first = await api.startReady(stubStart(image));
    // Its replica keeps room for the rest of the group, so images that are at home there may lead elsewhere.
    const { url: loaded } = await ring.homeOf(first);
    const elsewhere = images.filter((name) => before.get(name) !== loaded);
    const stayed = (homes: ImageHomes) =>
      elsewhere.every((name) => homes.get(name) === before.get(name));
    expect(elsewhere.length).toBeGreaterThan(75);
    expect(stayed(await ring.homes())).toBe(true);
    await project.compose(["stop", "redis"]);
    expect(stayed(await ring.homes())).toBe(true);
    expect((await api.runtime(first.runtime_id)).status).toBe("running");
    expect((await api.session(first.session_id)).runtime_id).toBe(first.runtime_id);
    const second = await api.startReady(stubStart(image));
    expect((await api.start(stubStart(image, { session_id: second.session_id }))).runtime_id).toBe(
      second.runtime_id,
    );

    await project.compose(["start", "redis"]);
    const keys = () => project.compose(["exec", "--no-TTY", "redis", "redis-cli", "--scan"]);
    const wanted = [first, second].flatMap((runtime) => [runtime.runtime_id, runtime.session_id]);
    await until(keys, (seen) => wanted.every((id) => seen.includes(id)), {
      what: `records and sessions of ${wanted.join(", ")}`,
      deadlineMs: LEAVE_MS,
    });
    for (const runtime of [first, second]) {
      expect((await api.session(runtime.session_id)).runtime_id).toBe(runtime.runtime_id);
      await api.stop(runtime.runtime_id);
    }
    await until(ring.homes, (homes) => moved(before, homes).length === 0, {
      deadlineMs: LEAVE_MS,
      what: "all images where they were",
    });
  });

  test("a plain down leaves the sandboxes, which the next up takes over", async () => {
    const started = [
      await api.startReady(stubStart(image)),
      await api.startReady(stubStart(image, V1_SDK)),
    ];
    const ids = started.map(({ runtime_id: id }) => id).toSorted();
    const containers = await Promise.all(ids.map(containerId));
    await project.compose(["down"]);
    expect((await project.sandboxes()).toSorted()).toEqual(ids);
    expect(await Promise.all(ids.map(containerId))).toEqual(containers);
    // Each replica gets one of the same ports again, not always the one that it had.
    await project.script(["up"], { REPLICAS: "4" });
    await ring.allLead(await project.replicas());
    const listed = await until(
      () => api.list(),
      (list) => list.length === 2,
      { what: "both runtimes" },
    );
    expect(listed.map(({ runtime_id: id }) => id).toSorted()).toEqual(ids);
    for (const runtime of started) {
      const back = await ring.answering(runtime.runtime_id);
      expect(back.session_api_key).toBe(runtime.session_api_key);
      expect((await api.session(runtime.session_id)).runtime_id).toBe(runtime.runtime_id);
      expect((await stubOf(back).environment()).env["SESSION_API_KEY"]).toBe(back.session_api_key);
      // A port of its own stays the sandbox's, and of the replicas any passes on what comes to the URL that a client has.
      if (new URL(runtime.url).pathname === "/") expect(back.url).toBe(runtime.url);
      expect(await stubOf(runtime).sh("echo at the old URL")).toBe("at the old URL");
      await api.stop(runtime.runtime_id);
    }
    await until(
      () => project.sandboxes(),
      (left) => left.length === 0,
      { what: "no sandbox" },
    );
  });
});

describe("ROUTING=gateway", () => {
  beforeAll(async () => {
    const up = ["up", "--detach", "--wait", "--no-deps", "gateway"];
    await project.compose(up, { ROUTING: "gateway" });
    await until(
      () => api.get("/registry_prefix"),
      ({ status }) => status === 200,
      { what: "a gateway that knows its replicas" },
    );
  });

  test("the gateway passes on HTTP and websockets", async () => {
    const runtime = await api.startReady(stubStart(image));
    expect(runtime.url).toBe(`${project.url}/${runtime.runtime_id}/runtime`);
    expect(await stubOf(runtime).sh("echo through the gateway")).toBe("through the gateway");
    const socket = new WebSocket(`${runtime.url.replace("http", "ws")}/sockets/echo`);
    try {
      await once(socket, "open");
      socket.send("over a socket");
      const [message] = await once(socket, "message");
      expect(String(message)).toBe("over a socket");
    } finally {
      socket.terminate();
    }
    await api.stop(runtime.runtime_id);
  });

  test("/image_exists leads to the gateway itself", async () => {
    expect([...countsOf(await askHomes(api, images.slice(0, 20))).keys()]).toEqual([project.url]);
  });

  test("a client that needs a URL without a path is refused, with what to configure", async () => {
    const answer = await api.post("/start", stubStart(image, V1_SDK));
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("RUNTIME_URL_BASE");
    expect(await api.list()).toEqual([]);
  });
});

test("compose.sh down removes the project with its sandboxes, and no other's", async () => {
  const { runtime_id: id } = await api.startReady(stubStart(image));
  const other = `${project.name}-of-another`;
  const labels = {
    "openhands.runtime.id": other,
    "openhands.runtime.replica": `${project.name}x-replica-1`,
  };
  const flags = Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  await docker("create", "--name", other, ...flags, image);
  try {
    expect(await project.sandboxes()).toEqual([id]);
    await project.script(["down", "--timeout", "1"]);
    expect(await project.sandboxes()).toEqual([]);
    expect(await project.remains()).toEqual([]);
    expect(await containerId(other)).toMatch(/^[0-9a-f]{64}$/);
  } finally {
    await docker("rm", "--force", other);
  }
});
