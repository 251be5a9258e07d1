import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { docker } from "../support/docker.ts";
import { stubOf } from "../support/sandbox.ts";
import { until } from "../support/until.ts";
import type { StubServer } from "../support/stub-server.ts";
import { bodyOf, NOWHERE, type Trap, whileReady, whileStarted } from "./trap.ts";

/** The shortest that any client waits for the answer of /start is 10 s. */
const AT_ONCE_MS = 2_000;

const GIB = 1024 ** 3;
/** What clients send for resource_factor, and what it counts as. */
const FACTORS = [
  [4.5, 4.5],
  ["2", 2],
  [0, 0.1],
  [1_000_000, 64],
  [null, 1],
] as const;

/** Traps in what /start takes and gives, and in what the container is made of. */
export const START_TRAPS: Trap[] = [
  {
    breaks: "SkyRL sends 88888888 for the port, which no server can listen on",
    async holds(server) {
      const { command } = bodyOf("skyrl", server.image);
      const text = `exec ${[command].flat().join(" ")}`;
      for (const sent of [command, ["sh", "-c", text]]) {
        await whileReady(
          server,
          bodyOf("skyrl", server.image, { command: sent }),
          async (ready) => {
            const { argv } = await stubOf(ready).environment();
            expect(argv).toContain("60000");
            expect(argv).not.toContain("88888888");
          },
        );
      }
    },
  },
  {
    breaks:
      "V0 and the SDK send /start again for what is not running yet, and lose their work to a restart",
    async holds(server) {
      const body = bodyOf("v0", server.image);
      await whileReady(server, body, async (ready) => {
        const startTime = () => stubOf(ready).sh("cut -d' ' -f22 /proc/1/stat");
        const before = await startTime();
        expect((await server.api.start(body)).runtime_id).toBe(ready.runtime_id);
        expect(await startTime()).toBe(before);
      });
    },
  },
  {
    breaks:
      "app servers and V0 give /start 10 to 15 s, and lose a runtime whose start waits for its image",
    async holds(server) {
      const began = performance.now();
      await whileStarted(server, bodyOf("app", NOWHERE), async () => {
        expect(performance.now() - began).toBeLessThan(AT_ONCE_MS);
      });
    },
  },
  {
    breaks: "VIBE sends no session id and reads back the one that was made",
    async holds(server) {
      await whileStarted(server, { image: NOWHERE }, async (started) => {
        const found = await server.api.session(started.session_id);
        expect(found.runtime_id).toBe(started.runtime_id);
      });
    },
  },
  {
    breaks: "V1 images run their server twice over where the command is added to the ENTRYPOINT",
    async holds(server) {
      const list = ["/usr/local/bin/openhands-agent-server", "--port", "60000"];
      for (const command of [list, list.join(" "), null]) {
        await whileReady(server, bodyOf("app", server.image, { command }), async (ready) => {
          const { argv } = await stubOf(ready).environment();
          expect(argv.slice(2)).toEqual(["--port", "60000"]);
        });
      }
    },
  },
  {
    breaks: "V0 needs root and says nothing, V1 asks for 10001",
    async holds(server) {
      for (const [family, uid] of [
        ["v0", 0],
        ["sdk", 10001],
      ] as const) {
        await whileReady(server, bodyOf(family, server.image), async (ready) => {
          expect((await stubOf(ready).environment()).uid).toBe(uid);
        });
      }
    },
  },
  {
    breaks:
      "agent servers ignore SESSION_API_KEY beside OH_SESSION_API_KEYS_0, V0 knows the first only",
    async holds(server) {
      await whileReady(server, bodyOf("v0", server.image), async (ready) => {
        const { env } = await stubOf(ready).environment();
        expect(env["SESSION_API_KEY"]).toBe(ready.session_api_key);
        expect(env).not.toHaveProperty("OH_SESSION_API_KEYS_0");
      });
      const environment = { OH_SESSION_API_KEYS_0: "of-the-caller" };
      await whileStarted(server, bodyOf("app", NOWHERE, { environment }), async (started) => {
        expect(started.session_api_key).toBe("of-the-caller");
      });
    },
  },
  {
    breaks: "images of SkyRL check the key that it is given, unlike its own server",
    async holds(server) {
      await whileReady(server, bodyOf("skyrl", server.image), async (ready) => {
        expect((await stubOf(ready).call("/environment")).status).toBe(200);
        const wrong = stubOf({ ...ready, session_api_key: "made up" });
        expect((await wrong.call("/environment")).status).toBe(401);
      });
    },
  },
  {
    breaks: "the SDK asks every server for sysbox, which few have",
    async holds(server) {
      const body = bodyOf("sdk", server.image, { runtime_class: "sysbox-runc" });
      await whileReady(server, body, async ({ status }) => expect(status).toBe("running"));
    },
  },
  {
    breaks: "resource_factor comes as a whole number, a fraction, text, too large, or not at all",
    async holds(server) {
      const memoryOf = (id: string) => docker("inspect", "--format", "{{.HostConfig.Memory}}", id);
      for (const [resource_factor, taken] of FACTORS) {
        const body = bodyOf("v0", server.image, { resource_factor });
        await whileReady(server, body, async ({ runtime_id: id }) => {
          expect(Number(await memoryOf(id)) / GIB).toBeCloseTo(4 * taken, 6);
        });
      }
    },
  },
  {
    breaks:
      "ids made from session ids collide or are no host names: sessions have dots and two cases",
    async holds(server) {
      const session = `Some.One-${randomUUID()}`;
      const body = (id: string) => bodyOf("app", NOWHERE, { session_id: id });
      await whileStarted(server, body(session), async (one) => {
        await whileStarted(server, body(session.toLowerCase()), async (other) => {
          expect(one.runtime_id).toMatch(/^[a-z]{16}$/);
          expect(other.runtime_id).not.toBe(one.runtime_id);
        });
      });
    },
  },
  {
    breaks:
      "V0 and SkyRL build anew what the server denies, although its engine has it and no registry does",
    holds: (server) =>
      withLocalImage(server, async (image) => {
        const look = () => server.api.get(`/image_exists?image=${image}`);
        const answer = await until(look, ({ text }) => text.includes('"exists":true'));
        expect(answer.json()).toMatchObject({ exists: true });
        expect((await server.api.get("/registry_prefix")).json()).toEqual({
          registry_prefix: expect.stringMatching(/./),
        });
      }),
  },
  {
    breaks: "V0 does not follow `url` to the engine that has an image, so that /start must find it",
    holds: (server) =>
      withLocalImage(server, (image) =>
        whileReady(server, bodyOf("v0", image), async (ready) => {
          expect(ready).toMatchObject({ image, status: "running" });
        }),
      ),
  },
  {
    breaks: "the SDK and app servers die of one 429, V0 after 8 s of them",
    async holds(server) {
      const { api, image } = server;
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => api.post("/start", bodyOf("app", image))),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
      const started = answers.map((answer) => Object(answer.json()));
      const ready = await Promise.all(started.map(api.untilReady));
      await Promise.all(ready.map(({ runtime_id: id }) => api.stop(id)));
    },
  },
  {
    breaks: "SkyRL connects once, so that the word failed for what may pass ends its run",
    async holds(server) {
      await whileStarted(server, bodyOf("skyrl", NOWHERE), async ({ runtime_id: id }) => {
        const tried = /ImagePullBackOff/;
        const seen = await until(
          () => server.api.runtime(id),
          ({ status_detail: detail }) => tried.test(detail ?? ""),
        );
        expect(seen).toMatchObject({ pod_status: "pending", verdict: null });
      });
    },
  },
  {
    breaks:
      "app servers send each conversation its own environment, which no earlier container has",
    async holds(server) {
      expect((await server.api.get("/api/warm-runtime-configs")).json()).toEqual({ configs: [] });
      const hooks = ["one", "two"].map((name) => `https://app.example/${name}`);
      const seen = hooks.map((OH_WEBHOOKS_0_BASE_URL) =>
        whileReady(
          server,
          bodyOf("app", server.image, { environment: { OH_WEBHOOKS_0_BASE_URL, EMPTY: "" } }),
          async (ready) => (await stubOf(ready).environment()).env,
        ),
      );
      expect(await Promise.all(seen)).toEqual(
        hooks.map((hook) => expect.objectContaining({ OH_WEBHOOKS_0_BASE_URL: hook, EMPTY: "" })),
      );
    },
  },
];

/** A name for the stub's image that no other engine has, of a registry that does not answer. */
async function withLocalImage(
  { image }: StubServer,
  use: (name: string) => Promise<void>,
): Promise<void> {
  const name = `127.0.0.1:1/only-here-${randomUUID()}:1`;
  await docker("tag", image, name);
  try {
    await use(name);
  } finally {
    await docker("rmi", name);
  }
}
