import { expect, test } from "vitest";
import { buildError } from "./build-error.ts";

const AT = "127.0.0.1:5000/a/b:1";
const BASE = `${AT}: failed to resolve source metadata for ${AT}: `;
const HEAD = 'failed to do request: Head "https://127.0.0.1:5000/v2/a/b/manifests/1": ';
const STATUS = "unexpected status from HEAD request to http://127.0.0.1:5000/v2/a/b/manifests/1: ";
const ADD = "failed to load cache key: ";
const STEP = 'process "/bin/sh -c true" did not complete successfully: ';
const LEASE =
  "failed to read downloaded context: failed to load cache key: failed to add snapshot x";

// Most of them as BuildKit of Docker 26.1 said them when it was tried; 403, those of memory and of the shim as it is known to.
test.each([
  `${BASE}${HEAD}dial tcp 127.0.0.1:5000: connect: connection refused`,
  `${BASE}${HEAD}dial tcp: lookup r.invalid on 10.0.0.53:53: no such host`,
  `timeout: failed to resolve source metadata for docker.io/library/timeout:latest: ${HEAD}dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host`,
  `failed to resolve source metadata for ${AT}: ${HEAD}dial tcp 127.0.0.1:5000: connect: connection refused`,
  `${BASE}${STATUS}429 Too Many Requests`,
  `${BASE}${STATUS}500 Internal Server Error`,
  `${BASE}${STATUS}503 Service Unavailable`,
  `${ADD}Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused`,
  `${ADD}Get "http://x.invalid/x": dial tcp: lookup x.invalid on 10.0.0.53:53: no such host`,
  `${ADD}invalid response status 503`,
  `${ADD}invalid response status 429`,
  `${ADD}error fetching default branch for repository https://127.0.0.1:1/x.git: git error: exit status 128\nstderr:\nfatal: unable to access 'https://127.0.0.1:1/x.git/': Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server\n`,
  `${STEP}failed to create shim task: OCI runtime create failed`,
  `${STEP}exit code: 137: context canceled`,
  "rpc error: code = Unavailable desc = error reading from server: EOF",
])("buildError() is not the build's fault: %s", (reason) => {
  expect(buildError("build", reason)).toMatchObject({
    code: "unavailable",
    message: `build: ${reason}`,
  });
});

test.each([
  "failed to copy files: userspace copy failed: write /data/overlay2/x/merged/big3: no space left on device",
  `${LEASE} to lease: write /data/buildkit/containerdmeta.db: no space left on device`,
  `${STEP}mount: no space left on device`,
])("buildError() knows a full disk: %s", (reason) => {
  expect(buildError("build", reason).code).toBe("disk_full");
});

test.each([
  `${BASE}${AT}: not found`,
  `${BASE}${STATUS}401 Unauthorized`,
  `${BASE}${STATUS}403 Forbidden`,
  `docker.io/library/timeout:1: failed to resolve source metadata for docker.io/library/timeout:1: docker.io/library/timeout:1: not found`,
  `${ADD}invalid response status 401`,
  `${ADD}invalid response status 404`,
  'process "/bin/sh -c echo \\"no space left on device\\"; exit 1" did not complete successfully: exit code: 1',
  'process "/bin/sh -c echo \\"no space left on device\\"\\nexit 3\\n" did not complete successfully: exit code: 3',
  'process "/bin/sh -c echo \'a \\"quote\\" \\\\ connection refused\'; exit 7" did not complete successfully: exit code: 7',
  'process "/nope no space left on device" did not complete successfully: exit code: 1',
  // Killed for want of memory; newer ones say so.
  `${STEP}exit code: 137`,
  `${STEP}exit code: 137: cannot allocate memory`,
  `${STEP}unable to find user nobodyhere: no matching entries in passwd file`,
  'failed to compute cache key: failed to calculate checksum of ref 1::2: "/no space left on device": not found',
  "dockerfile parse error on line 2: unknown instruction: TIMEOUT",
  "file with no instructions",
  'failed to parse stage name "node:x:y": invalid reference format',
  "invalid reference format: repository name (library/BAD) must be lowercase",
  'invalid mount target "/"',
  "secret x: not found",
  'no SSH key "" forwarded from the client',
])("buildError() is the build's fault: %s", (reason) => {
  expect(buildError("build", reason).code).toBe("bad_request");
});
