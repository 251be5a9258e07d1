"""What differs between releases of openhands-ai for those who write against them, 0.10.0 to 1.6.0."""

import asyncio
import dataclasses
import inspect
from pathlib import Path
from typing import Any


def import_release() -> None:
    """Takes half a minute on a busy machine."""
    _remote_runtime()


def new_runtime(session_id: str, *, attach_to_existing: bool, sandbox: dict[str, Any]):
    """A RemoteRuntime that connect() connects. 0.10.0 connects at once, so there this takes as long."""
    from openhands.events import EventStream
    from openhands.storage.memory import InMemoryFileStore

    config = _config()
    # What a release has no option for, it cannot be told.
    for name, value in sandbox.items():
        for spelling in (name, _OLD_NAMES.get(name, name)):
            if hasattr(config.sandbox, spelling):
                setattr(config.sandbox, spelling, value)
    runtime_class = _remote_runtime()
    more: dict[str, Any] = {}
    if "llm_registry" in inspect.signature(runtime_class).parameters:
        from openhands.llm.llm_registry import LLMRegistry

        more["llm_registry"] = LLMRegistry(config)
    return runtime_class(
        config=config,
        # One stream each: a stream takes a single runtime per session.
        event_stream=EventStream(session_id, InMemoryFileStore()),
        sid=session_id,
        attach_to_existing=attach_to_existing,
        **more,
    )


def connect(runtime) -> None:
    if hasattr(runtime, "connect"):
        asyncio.run(runtime.connect())


def can_pause(runtime) -> bool:
    """From 0.29 on."""
    return hasattr(runtime.config.sandbox, "pause_closed_runtimes")


def command_action(text: str, timeout: int):
    from openhands.events.action import CmdRunAction

    # Up to 0.14 the output ends with the shell's prompt unless told otherwise.
    names = [field.name for field in dataclasses.fields(CmdRunAction)]
    action = CmdRunAction(command=text, **({"keep_prompt": False} if "keep_prompt" in names else {}))
    if hasattr(action, "set_hard_timeout"):
        action.set_hard_timeout(timeout)
    else:
        action.blocking = True
        action.timeout = timeout
    return action


def copied_out(runtime, path: str) -> bytes:
    """The archive of copy_from(), which was bytes before it was a file."""
    archive = runtime.copy_from(path)
    if isinstance(archive, bytes):
        return archive
    content = Path(archive).read_bytes()
    Path(archive).unlink()
    return content


# Up to 0.11.
_OLD_NAMES = {"keep_runtime_alive": "keep_remote_runtime_alive"}


def _remote_runtime():
    try:
        from openhands.runtime.impl.remote.remote_runtime import RemoteRuntime
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("openhands.runtime.impl"):
            raise
        from openhands.runtime.remote.runtime import RemoteRuntime
    return RemoteRuntime


def _config():
    import openhands.core.config as module

    # AppConfig is the older name.
    config = module.OpenHandsConfig() if hasattr(module, "OpenHandsConfig") else module.AppConfig()
    config.workspace_mount_path_in_sandbox = "/workspace"
    config.run_as_openhands = False
    if hasattr(config, "enable_browser"):
        config.enable_browser = False
    return config
