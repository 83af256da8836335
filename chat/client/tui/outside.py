"""What lies outside the screen: the clipboard, programs that open links, an editor."""

import base64
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from chat.client.tui.notifier import osc

__all__ = ["clipboard", "edited", "link_opener"]

MOST_COPIED = 74_994
"""Bytes that fit the 100,000 characters which xterm takes for an OSC 52."""

_KEYED = (signal.SIGINT, signal.SIGQUIT)
"""What a terminal sends for a key."""


def clipboard(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """The sequence that puts ``text`` on the terminal's clipboard (OSC 52); empty when it is too
    long.

    tmux and screen are asked both ways: to take it themselves, and to pass it on.
    """
    data = text.encode()
    if not data or len(data) > MOST_COPIED:
        return ""
    command = f"52;c;{base64.b64encode(data).decode('ascii')}"
    through = osc(command, environ)
    plain = osc(command, {})
    return plain if through == plain else plain + through


def link_opener(environ: Mapping[str, str] = os.environ) -> Sequence[str] | None:
    """The program that opens links, None where there are no windows."""
    if sys.platform == "darwin":
        return ["open"]
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return None
    return ["xdg-open"] if shutil.which("xdg-open", path=environ.get("PATH")) else None


def edited(text: str) -> tuple[str, int]:
    """What the user's editor makes of ``text``; it has the terminal meanwhile."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="chatroom-") as directory:
        path = Path(directory) / "message.txt"
        path.write_text(text, encoding="utf-8")
        with _deaf():
            status = subprocess.run([*editor, str(path)], check=False).returncode
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n"), status


@contextmanager
def _deaf() -> Iterator[None]:
    """A Ctrl-C in the editor is its own: the terminal sends it to this program, too, which would
    end by it, and what is being edited be lost."""
    before = {each: signal.signal(each, lambda *_: None) for each in _KEYED}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
