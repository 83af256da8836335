"""Writes what is said twice: bot and map, options as TOML, the log's events, manuals, completion.

Run it after adding a module or an option: ``python docs/generate.py``. A test compares.
"""

import ast
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from benchmarks import needs, reconnect, side_by_side
from benchmarks.screen import report as screen_report
from chat.server.options import default_text
from chat.server.process.events import NAMES
from chat.server.settings import options
from docs import completion, man_pages, manual

ROOT = Path(__file__).parent.parent
"""The checkout."""


def first_line(module: Path) -> str:
    """What a module says it is; a docstring's first sentence may run over several lines."""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def modules() -> Iterator[Path]:
    """The modules of the package: those at the top, then directory by directory."""
    found = [path for path in (ROOT / "chat").rglob("*.py") if path.name != "__main__.py"]
    return iter(sorted(found, key=lambda path: (path.parent, path.name != "__init__.py", path)))


def house_map() -> str:
    """One line for each module, under its package."""
    lines = []
    for path in modules():
        name, says = path.relative_to(ROOT), first_line(path)
        if path.name == "__init__.py":
            lines += ["", *textwrap.wrap(f"``{name.parent}/``: {says}", 100), ""]
        else:
            lines += textwrap.wrap(f"- ``{path.name}``: {says}", 100, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def bot() -> str:
    """The smallest bot, as code in a page."""
    code = (ROOT / "examples" / "echo_bot.py").read_text(encoding="utf-8")
    return ".. code-block:: python\n\n" + textwrap.indent(code, "    ")


def replaced(text: str, what: str, content: str) -> str:
    """``text`` with ``content`` between the two comments that speak of ``what``."""
    start = f".. the {what} starts here, written by docs/generate.py\n"
    end = f"\n.. the {what} ends here\n"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{content.strip(chr(10))}\n{end}{after}"


def readme() -> str:
    """The README with its bot and its map as they should be."""
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    return replaced(replaced(text, "bot", bot()), "map", house_map())


def events() -> str:
    """What each event in the log is called, and the sentences by that name."""
    sentences: dict[str, list[str]] = {}
    for sentence, name in NAMES.items():
        sentences.setdefault(name, []).append(sentence)
    lines = []
    for name, said in sentences.items():
        text = f"- ``{name}``: " + " · ".join(f"*{each}*" for each in said)
        lines += textwrap.wrap(text, 100, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def operating() -> str:
    """The operators' page with its list of events."""
    text = (ROOT / "docs" / "operating.rst").read_text(encoding="utf-8")
    return replaced(text, "list of events", events())


def scaling() -> str:
    """The page about large installations with what was measured, and the model's figures."""
    text = (ROOT / "docs" / "scaling.rst").read_text(encoding="utf-8")
    for what, said, figures in (
        ("side by side", side_by_side.report, side_by_side.FIGURES),
        ("reconnect", reconnect.report, reconnect.FIGURES),
        ("model", needs.said, needs.COSTS),
    ):
        table = said(json.loads(figures.read_text()))
        text = replaced(text, what, "::\n\n" + textwrap.indent(table, "    "))
    return text


def performance() -> str:
    """The page about speed with what was measured of the screen."""
    text = (ROOT / "docs" / "performance.rst").read_text(encoding="utf-8")
    table = screen_report.report(json.loads(screen_report.FIGURES.read_text()))
    return replaced(text, "screen", "::\n\n" + textwrap.indent(table, "    "))


def toml_example() -> str:
    """Every option with its default, commented out."""
    lines = [
        "# Every option of the server, with its default. Copy what you change, and start with",
        "# twistd chatroom --config chatroom.toml. The environment (where CHATROOM_NAME_LIMIT is",
        "# name-limit) wins over this file, and the command line over both. What may be repeated",
        '# is a list here, ["tcp:8889", "plain:tcp:8888"], and in the environment has spaces.',
        "# On SIGHUP the file is read again. What is marked (live) changes then, a limit of one",
        "# connection for those to come; of anything else the log says that it needs a restart.",
    ]
    for name, option in options().items():
        kind = option.metadata["kind"]
        text = default_text(option)
        value = f'"{text}"' if kind.quoted or "," in text else text
        if text in ("none", "yes", "no"):
            value = {"none": '""', "yes": "true", "no": "false"}[text]
        live = " (live)" if option.metadata["live"] else ""
        says = textwrap.fill(f"{option.metadata['help']} ({kind.form}){live}", 90)
        lines += ["", textwrap.indent(says, "# "), f"# {name} = {value}"]
    return "\n".join(lines) + "\n"


def client() -> str:
    """The client's page with its tables."""
    text = (ROOT / "docs" / "client.rst").read_text(encoding="utf-8")
    for what, content in manual.parts().items():
        text = replaced(text, what, content)
    return text


def generated() -> dict[Path, str]:
    """What each generated file should hold."""
    return {
        ROOT / "README.rst": readme(),
        ROOT / "docs" / "chatroom.toml": toml_example(),
        ROOT / "docs" / "operating.rst": operating(),
        ROOT / "docs" / "scaling.rst": scaling(),
        ROOT / "docs" / "performance.rst": performance(),
        ROOT / "docs" / "client.rst": client(),
        ROOT / "docs" / "config.toml": manual.settings_example(),
        ROOT / "docs" / "chatroom.1": man_pages.client(),
        ROOT / "docs" / "chatroom-admin.8": man_pages.administration(),
        ROOT / "docs" / "twistd-chatroom.8": man_pages.server(),
        ROOT / "docs" / "chatroom.bash": completion.script(),
    }


if __name__ == "__main__":
    for file, content in generated().items():
        file.write_text(content, encoding="utf-8")
