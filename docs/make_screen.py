"""Draws docs/screen.svg and docs/screen.txt from the real program in a pseudo-terminal.

Run it as ``python docs/make_screen.py`` from the top of the checkout. It starts a server of its own
on a free port, lets three people register and talk through the real screen, and writes down what
the first of them sees.
"""

import os
import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.process import ServerProcess
from tests.pty_screen import PtyScreen, client_command, client_environ, register

HERE = Path(__file__).resolve().parent
COLUMNS, ROWS = 112, 18
CELL, LINE, MARGIN = 8.4, 18.0, 14.0
INK, PAPER = "#d8dee9", "#12161f"
NAMED = {
    "black": "#12161f", "red": "#e06c75", "green": "#8fbc6a", "brown": "#d9b45b",
    "blue": "#6ca0e8", "magenta": "#c58ae0", "cyan": "#5fb8c4", "white": "#d8dee9",
    "brightblack": "#6b7383", "brightred": "#ff8b94", "brightgreen": "#a8d88a",
    "brightbrown": "#f0d27a", "brightblue": "#8ab8ff", "brightmagenta": "#dca6f5",
    "brightcyan": "#80d4e0", "brightwhite": "#ffffff",
}  # fmt: skip


def colour(name: str, default: str) -> str:
    """A colour as pyte names it, for SVG."""
    if name == "default":
        return default
    return NAMED.get(name, f"#{name}" if len(name) == 6 else default)


def look(cell: Any) -> tuple[str, str, bool]:
    """Ink, paper and weight of a cell."""
    ink, paper = colour(cell.fg, INK), colour(cell.bg, PAPER)
    return (paper, ink, cell.bold) if cell.reverse else (ink, paper, cell.bold)


def svg(screen: Any) -> str:
    """A pyte screen as SVG; each run of cells is held to its columns."""
    width, height = COLUMNS * CELL + 2 * MARGIN, ROWS * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-family="DejaVu Sans Mono, Menlo, Consolas, Noto Sans Mono CJK SC, monospace" '
        f'font-size="14">',
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
    ]
    for row in range(ROWS):
        cells = [(column, screen.buffer[row][column]) for column in range(COLUMNS)]
        for (ink, paper, bold), run in groupby(cells, key=lambda each: look(each[1])):
            parts += run_of_cells(list(run), row, ink, paper, bold)
    return "\n".join([*parts, "</svg>", ""])


def run_of_cells(
    cells: list[tuple[int, Any]], row: int, ink: str, paper: str, bold: bool
) -> list[str]:
    """The elements of neighbouring cells that look the same."""
    x, y = MARGIN + cells[0][0] * CELL, MARGIN + row * LINE
    size = len(cells) * CELL
    text = "".join(cell.data for _, cell in cells)
    parts = []
    if paper != PAPER:
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{LINE}" fill="{paper}"/>'
        )
    if text.strip():
        kept = text.rstrip()
        used = size - (len(text) - len(kept)) * CELL
        weight = ' font-weight="bold"' if bold else ""
        parts.append(
            f'<text x="{x:.1f}" y="{y + LINE * 0.74:.1f}" fill="{ink}"{weight} '
            f'xml:space="preserve" textLength="{used:.1f}" lengthAdjust="spacingAndGlyphs">'
            f"{escape(kept)}</text>"
        )
    return parts


def play(server: str, home: Path) -> tuple[str, list[str]]:
    """Let three people talk; return the picture and the text of what the first one sees."""

    def person(name: str, columns: int = 80, rows: int = 24) -> PtyScreen:
        environ = client_environ(home / name, "en_US.UTF-8")
        return PtyScreen(client_command(server), environ, columns, rows)

    with person("anna", COLUMNS, ROWS) as anna, person("ben") as ben, person("chen") as chen:
        for screen, name in ((anna, "anna"), (ben, "ben"), (chen, "陈晓明")):
            register(screen, name)
        say(ben, "good morning! please give the release a last look, notes and prices too")
        anna.wait_for("good morning!")
        say(chen, "早上好！我三点前看完，然后一起发布。")
        anna.wait_for("一起发布")
        say(anna, "great, I write the notes meanwhile")
        say(anna, "/join #release what goes out on Friday")
        anna.wait_for("Write to #release")
        say(anna, "/join #cats")
        anna.wait_for("Write to #cats")
        say(chen, "/join #release")
        chen.wait_for("Write to #release")
        say(chen, "@anna 第三节还缺一句话")
        anna.wait_for("@1")
        say(ben, "/msg anna lunch at noon?")
        anna.wait_for("ben ")
        say(ben, "/busy")
        anna.wait_for("busy")
        anna.type("\x1b1")
        anna.wait_for("great, I write")
        say(chen, "/msg ben 你好")
        anna.type("the notes are here: ")
        anna.wait_for("the notes are here")
        return svg(anna.screen), anna.lines()


def say(screen: PtyScreen, text: str) -> None:
    """Type a line and send it."""
    screen.type(text)
    screen.wait_for(text[-6:].strip())
    screen.press("enter")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cr-", dir="/tmp") as directory:
        home = Path(directory)
        server = ServerProcess()
        try:
            server.start()
            picture, lines = play(f"127.0.0.1:{server.port}", home)
        finally:
            server.remove()
    (HERE / "screen.svg").write_text(picture, encoding="utf-8")
    (HERE / "screen.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(os.path.relpath(HERE / "screen.svg"), os.path.relpath(HERE / "screen.txt"))


if __name__ == "__main__":
    main()
