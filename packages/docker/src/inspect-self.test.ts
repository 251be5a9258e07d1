import { expect, it } from "vitest";
import { inspectSelf } from "./inspect-self.ts";
import { startStubEngine } from "./stub-engine.ts";

const id = "0123456789abcdef".repeat(4);
const inContainer = {
  mountinfo: async () =>
    `1 0 8:1 / / rw - overlay overlay rw\n2 1 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n`,
  hostname: () => "renamed",
};
const description = {
  Id: id,
  HostConfig: { NetworkMode: "project_default" },
  Config: {
    Labels: {
      "com.docker.compose.project": "project",
      "com.docker.compose.service": "replica",
      "com.docker.compose.container-number": "3",
    },
  },
  NetworkSettings: {
    Networks: {
      project_default: { IPAddress: "172.19.0.4", Gateway: "172.19.0.1" },
      sandboxes: { IPAddress: "172.20.0.5", Gateway: "172.20.0.1" },
    },
    Ports: { "8000/tcp": [{ HostIp: "0.0.0.0", HostPort: "32768" }], "9000/tcp": null },
  },
};

it("inspectSelf() tells the compose name, the published port and the address outside the sandbox network", async () => {
  await using stub = await stubWith(description);
  const self = await inspectSelf(stub.docker, { sandboxNetwork: "sandboxes", source: inContainer });
  expect(self).toMatchObject({
    containerId: id,
    composeProject: "project",
    composeService: "replica",
    composeNumber: 3,
    ownNetwork: true,
    networkAddress: "172.19.0.4",
    hostAddress: "172.20.0.1",
  });
  expect(self?.publishedPort(8000)).toBe(32768);
  expect(self?.publishedPort(9000)).toBeUndefined();
});

it("inspectSelf() knows a container by its hostname where no mount tells", async () => {
  await using stub = await stubWith(description);
  const source = { mountinfo: async () => "", hostname: () => id.slice(0, 12) };
  expect((await inspectSelf(stub.docker, { source }))?.containerId).toBe(id);
});

it("inspectSelf() sees that a container shares the network of its host", async () => {
  await using stub = await stubWith({ ...description, HostConfig: { NetworkMode: "host" } });
  expect((await inspectSelf(stub.docker, { source: inContainer }))?.ownNetwork).toBe(false);
});

it("inspectSelf() is undefined on a host, and in a container of another engine", async () => {
  await using stub = await stubWith(undefined);
  const onHost = {
    // What a host that runs containers has among its mounts.
    mountinfo: async () =>
      `3 1 0:9 / /var/lib/docker/containers/${id}/mounts/shm rw - tmpfs shm rw\n`,
    hostname: () => "vm",
  };
  expect(await inspectSelf(stub.docker, { source: onHost })).toBeUndefined();
  expect(await inspectSelf(stub.docker, { source: inContainer })).toBeUndefined();
});

function stubWith(container: unknown) {
  return startStubEngine((request, response) => {
    const known =
      container !== undefined &&
      new RegExp(`^/containers/${id.slice(0, 12)}\\w*/json$`).test(request.url ?? "");
    response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(known ? container : { message: "No such container" }));
  });
}
