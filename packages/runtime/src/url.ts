import type { Dialect, UrlForm } from "@remote-runtime/protocol";
import { ServiceError } from "@remote-runtime/protocol";
import type { RuntimeRecord } from "@remote-runtime/registry";
import { SANDBOX_PORT } from "./engine.ts";

/** Where clients reach sandboxes. URLs without a trailing slash. */
export type PublicAddress = {
  /** The replica's own URL, or the gateway's where only that can be reached. */
  base: string;
  /** `http://domain[:port]` whose subdomains all lead here, if there is one. */
  wildcardBase: string | null;
};

export type UrlPolicy = "auto" | UrlForm;

/**
 * The form of a runtime's URL. `auto`: host where a wildcard domain is configured; else path, but a port of its own
 * for the V1 SDK, which cannot take a URL with a path. `portAvailable` is false where only a gateway can be reached.
 */
export function urlFormOf(
  dialect: Dialect,
  policy: UrlPolicy,
  { wildcard, portAvailable }: { wildcard: boolean; portAvailable: boolean },
): UrlForm {
  const wanted = policy === "auto" ? autoForm(dialect, wildcard) : policy;
  // These send the API key with every call to the sandbox: past the proxy, which takes it away, it would get there.
  const sendsApiKey = dialect === "v0" || dialect === "v0-old" || dialect === "skyrl";
  const form = wanted === "port" && sendsApiKey ? "path" : wanted;
  if (form === "port" && !portAvailable) {
    throw new ServiceError(
      "bad_request",
      "this client needs a runtime URL without a path, and behind ROUTING=gateway that takes a wildcard domain: " +
        "set RUNTIME_URL_BASE on the replicas, or ROUTING=direct",
    );
  }
  return form;
}

function autoForm(dialect: Dialect, wildcard: boolean): UrlForm {
  if (wildcard) return "host";
  return dialect === "v1-sdk" ? "port" : "path";
}

/** Never ends with a slash, as clients append `/alive` to it. */
export function runtimeUrl(
  record: Pick<RuntimeRecord, "id" | "urlForm" | "hostPort" | "portHost">,
  address: PublicAddress,
): string {
  switch (record.urlForm) {
    case "path":
      return `${address.base}/${record.id}/runtime`;
    case "host":
      return subdomain(record.id, address);
    case "port": {
      // No TLS of the server's is in front of another machine's port.
      if (record.portHost !== undefined) return `http://${record.portHost}:${record.hostPort}`;
      const { protocol, hostname } = new URL(address.base);
      return `${protocol}//${hostname}:${record.hostPort}`;
    }
  }
}

export function workHosts(
  record: Pick<RuntimeRecord, "id" | "urlForm" | "hostPort">,
  address: PublicAddress,
): Record<string, number> {
  const url = (service: "work-1" | "work-2"): string =>
    record.urlForm === "host"
      ? subdomain(`${service}-${record.id}`, address)
      : `${address.base}/${record.id}/${service}`;
  return { [url("work-1")]: SANDBOX_PORT["work-1"], [url("work-2")]: SANDBOX_PORT["work-2"] };
}

function subdomain(label: string, { wildcardBase, base }: PublicAddress): string {
  const { protocol, host } = new URL(wildcardBase ?? base);
  return `${protocol}//${label}.${host}`;
}
