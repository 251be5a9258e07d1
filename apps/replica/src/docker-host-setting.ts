import { z } from "zod";

/** What Docker's own client takes, and `host:port` alone. */
const FORMS = [
  /^(unix|npipe):\/\/.+$/,
  /^((tcp|https?):\/\/)?([\w.-]+|\[[\da-f:.]+\]):\d{1,5}\/?$/i,
  /^(https?|ssh):\/\/[^\s/]+\/?$/,
];

/** The engine's address, which the Docker client reads by itself: without a port or a scheme it would wait at another one. */
export function dockerHost() {
  return z
    .string()
    .refine((value) => FORMS.some((form) => form.test(value)), {
      error: "must be a socket, or a host with a port: unix:///PATH, tcp://HOST:PORT or ssh://HOST",
    })
    .meta({ example: "unix:///var/run/docker.sock" });
}
