import { ConfigError } from "@remote-runtime/server";
import { expect, test } from "vitest";
import { readReplicaConfig } from "./config.ts";

const read = (DOCKER_HOST: string): unknown =>
  readReplicaConfig({ API_KEYS: "key", REDIS_URL: "redis://localhost", DOCKER_HOST });

test.each([
  "",
  "unix:///var/run/docker.sock",
  "tcp://engine:2376",
  "tcp://[::1]:2375",
  "https://engine.example.com",
  "ssh://me@engine",
  "10.0.0.7:2375",
])("DOCKER_HOST=%s is an engine's address", (value) => {
  expect(() => read(value)).not.toThrow();
});

test.each(["nonsense", "tcp://engine", "unix://", "/var/run/docker.sock", "redis://engine:1"])(
  "DOCKER_HOST=%s is refused with an example, rather than waited for",
  (value) => {
    expect(() => read(value)).toThrow(ConfigError);
    expect(() => read(value)).toThrow(/DOCKER_HOST=.*tcp:\/\/HOST:PORT.*e\.g\. DOCKER_HOST=unix/);
  },
);
