"""RemoteRuntimeBuilder of openhands-ai, unmodified, builds many images at once, as scripts that cache a benchmark's images do.

For each of them: image_exists, build (which asks for build_status until its end), image_exists. All are sent side by side,
and the first ones twice. Environment: API_URL, API_KEY, SERVER_IMAGE, the base of all, MARKER, a word of the test's own that
stands in each image, BUILDS, how many are asked for, and TWICE, how many of these are asked for by two.
"""

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from steps import expect, main, required, step

# So long a build is under way that is asked for twice, and the other one comes meanwhile.
TWICE_SECONDS = 8


def drive() -> None:
    with step("import"):
        from openhands.runtime.builder.remote import RemoteRuntimeBuilder

    url, key, marker = required("API_URL"), required("API_KEY"), required("MARKER")
    count, twice = int(required("BUILDS")), int(required("TWICE"))
    prefix = RemoteRuntimeBuilder(url, key).session.get(f"{url}/registry_prefix").json()["registry_prefix"]
    asked = [f"{prefix}/{marker}:{index}" for index in (*range(twice), *range(count - twice))]
    at_once = threading.Barrier(count)

    def cache(image: str) -> str:
        builder = RemoteRuntimeBuilder(url, key)
        try:
            expect(not builder.image_exists(image, False), f"there is no {image} yet")
        except BaseException:
            at_once.abort()
            raise
        with tempfile.TemporaryDirectory() as folder:
            lines = [f"FROM {required('SERVER_IMAGE')}", f"COPY word.txt /{marker}"]
            if asked.count(image) > 1:
                lines.append(f"RUN sleep {TWICE_SECONDS}")
            Path(folder, "Dockerfile").write_text("\n".join(lines))
            Path(folder, "word.txt").write_text(image)
            at_once.wait(120)
            built = builder.build(folder, [image])
        expect(built == image, "the image's name", built)
        expect(builder.image_exists(image, False), f"there is {image} now")
        return built

    with step("builds") as seen:
        with ThreadPoolExecutor(count) as pool:
            built = list(pool.map(cache, asked))
        expect(len(built) == count, "all are built", len(built))
        seen["images"] = sorted(set(built))


if __name__ == "__main__":
    main(drive)
