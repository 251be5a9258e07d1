"""RemoteRuntime of openhands-ai, unmodified, any release, through the life of one sandbox.

Environment: API_URL, API_KEY, SERVER_IMAGE; READY_TIMEOUT_SECONDS (default 180) bounds each wait for a boot.
"""

import io
import os
import random
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

import v0_release as release
from steps import (
    expect,
    expect_gone,
    main,
    required,
    session_status,
    step,
    stopped_after_failure,
)

READY_TIMEOUT_SECONDS = int(os.environ.get("READY_TIMEOUT_SECONDS", "180"))
NOTE = "first line\nsecond line with ünïcode\n"


def drive() -> None:
    with step("import"):
        release.import_release()

    session_id = uuid.uuid4().hex
    with stopped_after_failure(session_id):
        with step("start") as seen:
            runtime = new_runtime(session_id)
            release.connect(runtime)
            seen["runtime_id"] = runtime.runtime_id
            seen["url"] = runtime.runtime_url
        with step("image_exists"):
            image = required("SERVER_IMAGE")
            expect(runtime.runtime_builder.image_exists(image), f"the server has {image}")
        work(runtime, session_id)
        if release.can_pause(runtime):
            runtime = pause_and_resume(runtime, session_id)
        with step("stop"):
            runtime.close()
            expect_gone(session_id)


def new_runtime(session_id: str, *, attach_to_existing: bool = False, **sandbox):
    options = {
        "api_key": required("API_KEY"),
        "remote_runtime_api_url": required("API_URL"),
        "runtime_container_image": required("SERVER_IMAGE"),
        "remote_runtime_init_timeout": READY_TIMEOUT_SECONDS,
        "runtime_startup_env_vars": {
            "FROM_CLIENT": "a b",
            # Read by the image that has servers of several releases.
            "OLD_RELEASE": os.environ.get("OLD_RELEASE", ""),
        },
        "keep_runtime_alive": False,
        **sandbox,
    }
    return release.new_runtime(session_id, attach_to_existing=attach_to_existing, sandbox=options)


def work(runtime, session_id: str) -> None:
    from openhands.events.action import FileReadAction, FileWriteAction

    with step("command") as seen:
        result = command(runtime, "echo $FROM_CLIENT; id -u; pwd; (exit 3)")
        seen["output"] = result.content
        expect(result.exit_code == 3, "exit code 3", result)
        expect(result.content.split() == ["a", "b", "0", "/workspace"], "env, uid, directory", result)

    with step("silent command"):
        began = time.monotonic()
        result = command(runtime, "sleep 4; echo done")
        expect(result.exit_code == 0 and "done" in result.content, "the end of the command", result)
        expect(time.monotonic() - began >= 4, "waited for it")

    with step("write and read"):
        runtime.write(FileWriteAction(path="/workspace/note.txt", content=NOTE))
        read = runtime.read(FileReadAction(path="/workspace/note.txt"))
        expect(read.content.rstrip("\n") == NOTE.rstrip("\n"), "the note as written", read)

    with step("copy in, list, copy out"):
        copy_both_ways(runtime)

    with step("attach"):
        # 0.10.0 stops what it only attached to, unless it is told to keep it.
        second = new_runtime(session_id, attach_to_existing=True, keep_runtime_alive=True)
        release.connect(second)
        expect(second.runtime_id == runtime.runtime_id, "the same runtime", second.runtime_id)
        expect_note(second)
        second.close()
        expect(session_status(session_id) == "running", "detaching stops nothing")


def pause_and_resume(runtime, session_id: str):
    with step("pause"):
        runtime.config.sandbox.keep_runtime_alive = True
        runtime.close()
        status = session_status(session_id)
        expect(status == "paused", "paused at the next look", status)

    resumed = new_runtime(session_id)
    with step("resume"):
        release.connect(resumed)
        expect(resumed.runtime_id == runtime.runtime_id, "the same runtime", resumed.runtime_id)
        expect_note(resumed)
    return resumed


def command(runtime, text: str):
    """Runs a command that prints something and ends within 5 s."""
    for _ in range(3):
        result = runtime.run(release.command_action(text, timeout=60))
        if result.content != "":
            break
        # A busy action server takes the prompt that still stands in its terminal for the end of the command that it has
        # just typed. What it began has to end before it is asked again, and it has no way to tell when.
        time.sleep(5)
    return result


def expect_note(runtime) -> None:
    result = command(runtime, "cat /workspace/note.txt")
    expect(result.content.split() == NOTE.split(), "the note is still there", result)


def copy_both_ways(runtime) -> None:
    payload = random.Random(1).randbytes(1_048_576)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "up"
        (folder / "deep").mkdir(parents=True)
        (folder / "a b.bin").write_bytes(payload)
        (folder / "deep" / "empty").touch()
        runtime.copy_to(str(folder), "/workspace", recursive=True)

    listed = runtime.list_files("/workspace/up")
    expect(sorted(listed) == ["a b.bin", "deep/"], "the copied folder", listed)
    archive = release.copied_out(runtime, "/workspace/up")
    with zipfile.ZipFile(io.BytesIO(archive)) as copied:
        names = [name for name in copied.namelist() if name.endswith("a b.bin")]
        expect(len(names) == 1, "one file of that name in the archive", copied.namelist())
        expect(copied.read(names[0]) == payload, "the bytes come back unchanged")


if __name__ == "__main__":
    main(drive)
