"""RemoteRuntimeBuilder of openhands-ai, unmodified: two images, one upon the other, and a RemoteRuntime of the last.

Environment: API_URL, API_KEY, SERVER_IMAGE, MARKER, a word of the test's own that stands in each step, and BEFORE_START, a
URL that is asked between the builds and the start.
"""

import shutil
import tempfile
import uuid
from pathlib import Path

import v0_remote_runtime as life
from steps import expect, expect_gone, main, required, step, stopped_after_failure


def drive() -> None:
    with step("import"):
        import openhands
        from openhands.core.exceptions import AgentRuntimeBuildError
        from openhands.runtime.builder.remote import RemoteRuntimeBuilder

        source = Path(openhands.__file__).parent

    builder = RemoteRuntimeBuilder(required("API_URL"), required("API_KEY"))
    marker = required("MARKER")
    with step("registry_prefix"):
        prefix = builder.session.get(f"{required('API_URL')}/registry_prefix").json()["registry_prefix"]
        lock, versioned, hashed = (f"{prefix}/runtime:{tag}" for tag in ("lock", "versioned", "hash"))

    with step("image_exists before"):
        expect(not builder.image_exists(hashed, False), f"there is no {hashed} yet")

    with step("build"):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(source, Path(folder, "code", "openhands"), symlinks=True)
            dockerfile = f"FROM {required('SERVER_IMAGE')}\nCOPY ./code /built\nRUN echo {marker} > /marker\n"
            Path(folder, "Dockerfile").write_text(dockerfile)
            answer = builder.build(folder, [lock, versioned])
        expect(answer == lock, "the image's name", answer)
        expect(builder.image_exists(lock) and builder.image_exists(versioned), "both names are there")

    with step("build on top"):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(f"FROM {lock}\nRUN cat /marker > /again # {marker}\n")
            builder.build(folder, [hashed])
        expect(builder.image_exists(hashed, False), f"there is {hashed} now")

    with step("failing build"):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "Dockerfile").write_text(f"FROM {lock}\nRUN echo {marker} words; exit 9\n")
            try:
                builder.build(folder, [f"{prefix}/runtime:fails"])
            except AgentRuntimeBuildError as error:
                expect(f"{marker} words" in str(error) and "exit code: 9" in str(error), "the reason", error)
            else:
                raise AssertionError("the build has not failed")

    with step("before start"):
        expect(builder.session.get(required("BEFORE_START")).status_code == 200, "the test is ready")
        expect(builder.image_exists(hashed, False), f"there still is {hashed}")

    session_id = uuid.uuid4().hex
    runtime = life.new_runtime(session_id, runtime_container_image=hashed)
    with stopped_after_failure(session_id):
        with step("start"):
            life.release.connect(runtime)
        with step("command") as seen:
            result = life.command(runtime, "cat /again; ls /built/openhands/__init__.py")
            seen["output"] = result.content
            expect(result.content.split() == [marker, "/built/openhands/__init__.py"], "what was built", result)
        with step("stop"):
            runtime.close()
            expect_gone(session_id)


if __name__ == "__main__":
    main(drive)
