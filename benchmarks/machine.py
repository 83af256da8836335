"""The machine: which core does what, compiled helpers, free ports, and what it is."""

import os
import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

__all__ = [
    "LOAD_CORE",
    "SERVER_CORE",
    "Missing",
    "build",
    "check_cores",
    "describe",
    "free_port",
    "on",
    "pinned",
    "version_of",
]

HERE: Final = Path(__file__).parent
SERVER_CORE: Final = 0
LOAD_CORE: Final = 1


class Missing(Exception):
    """The machine lacks something. The text is a sentence for whoever started the run."""


def build(name: str, *sources: str) -> Path:
    """Compile a helper, unless that was done since its sources changed; where it is.

    :raises Missing: there is no C compiler, or it fails.
    """
    files = [path for source in sources for path in sorted(HERE.glob(source))]
    target = HERE / "build" / name
    if target.exists() and target.stat().st_mtime > max(f.stat().st_mtime for f in files):
        return target
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("the load generator needs a C compiler: cc")
    target.parent.mkdir(exist_ok=True)
    code = [str(path) for path in files if path.suffix == ".c"]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]
    libraries = []
    if (HERE / "load" / "tls.c") in files and _has_header(compiler, "openssl/ssl.h"):
        flags.append("-DWITH_TLS")
        libraries = ["-lssl", "-lcrypto"]
    done = subprocess.run([compiler, *flags, "-o", str(target), *code, *libraries], check=False)
    if done.returncode:
        raise Missing(f"{name} can't be compiled")
    return target


def _has_header(compiler: str, name: str) -> bool:
    words = [compiler, "-E", "-include", name, "-x", "c", os.devnull]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def check_cores() -> None:
    """:raises Missing: the server and the load can't have a core each."""
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise Missing("a core for the server and one for the load are needed: 0 and 1")
    if shutil.which("taskset") is None:
        raise Missing("taskset is needed, to keep the server on one core and the load on another")


def pinned(core: int, *command: str) -> list[str]:
    """``command``, kept on one core where that can be done."""
    if shutil.which("taskset") is None or core not in os.sched_getaffinity(0):
        return list(command)
    return ["taskset", "-c", str(core), *command]


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def version_of(*command: str) -> str:
    """The version number that a program gives of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found.group() if found else "unknown"


def on(machine: Mapping[str, Any]) -> str:
    """What ``describe`` said, as a line below figures."""
    cores, load = machine["cores"], machine["load_average_at_start"]
    return f"On {cores} cores ({machine['processor']}), load average {load:.1f} before it began."


def describe() -> dict[str, object]:
    """What a reader needs to know to compare numbers."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return {
        "processor": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average_at_start": os.getloadavg()[0],
    }
