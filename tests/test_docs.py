"""The documentation, held against the code: protocol, options and map say what is true."""

import json
import os
import re
import runpy
import tempfile
from argparse import ArgumentParser
from pathlib import Path

import msgspec
import pyte
from twisted.trial.unittest import SynchronousTestCase

from chat import messages
from chat.client.files.config import Settings as ClientSettings
from chat.client.files.config import read_settings
from chat.client.tui.commands.keys import KEYS, key_name
from chat.client.tui.commands.table import find
from chat.codec import LENGTH_SIZE, decode_envelope, frame
from chat.messages import ANSWERS, ORIGINAL_REQUESTS, REQUESTS
from chat.server.options import Options
from chat.server.settings import Settings, options

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.rst").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^    ([CS]) (\{.*\})$", re.MULTILINE)
HEX_EXAMPLE = re.compile(r"^    ((?:[0-9a-f]{2} ){4}) (\{.*\})$", re.MULTILINE)

ORIGINAL_ANSWERS = {
    messages.type_name(kind): kind
    for kind in vars(messages).values()
    if isinstance(kind, type)
    and issubclass(kind, messages.Message)
    and (kind.__name__.startswith("Original") or kind is messages.NotifyUserStatusMes)
}


def members(kind: type[msgspec.Struct]) -> set[str]:
    return set(kind.__struct_encode_fields__)


def rows(text: str) -> list[list[str]]:
    """The cells of every list-table row of ``text``."""
    found = re.findall(r"^   \* - (.*?)(?=^   \* - |^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return [re.split(r"\n     -", row) for row in found]


def named(cell: str) -> set[str]:
    """The member names in a cell, those of *entry* and *conv* included."""
    names = set(re.findall(r"``(\w+)``", cell))
    names |= members(messages.Entry) if "*entry*" in cell else set()
    return names | (members(messages.Conversation) if "*conv*" in cell else set())


class ProtocolTest(SynchronousTestCase):
    def section(self, title: str) -> str:
        start = PROTOCOL.index(f"\n{title}\n---")
        return PROTOCOL[start : PROTOCOL.find("\n----", start + len(title) + 8)]

    def test_every_example_is_a_message_without_unknown_members(self) -> None:
        examples = EXAMPLE.findall(PROTOCOL)
        self.assertGreater(len(examples), 20)
        original = EXAMPLE.findall(self.section("Original clients"))
        for side, body in examples:
            envelope = decode_envelope(body.encode())
            if (side, body) in original:
                known = ORIGINAL_REQUESTS if side == "C" else ORIGINAL_ANSWERS
            else:
                known = REQUESTS if side == "C" else ANSWERS
            msgspec.json.decode(envelope.data, type=known[envelope.type])

    def test_original_clients_get_their_members_in_the_order_shown(self) -> None:
        shown = [
            decode_envelope(body.encode())
            for side, body in EXAMPLE.findall(self.section("Original clients"))
            if side == "S"
        ]
        self.assertEqual({each.type for each in shown}, set(ORIGINAL_ANSWERS))
        for each in shown:
            order = tuple(msgspec.json.decode(each.data))
            self.assertEqual(order, ORIGINAL_ANSWERS[each.type].__struct_encode_fields__)

    def test_every_section_that_the_code_refers_to_is_there(self) -> None:
        sections = set(re.findall(r"^(.+)\n-+$", PROTOCOL, re.MULTILINE))
        for path in (ROOT / "chat").rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for section in re.findall(r"\(protocol, ([^)]+)\)", text):
                self.assertIn(section, sections, path)
            self.assertNotIn("§", text, path)

    def test_the_length_of_the_example_frame_is_right(self) -> None:
        (length, body) = HEX_EXAMPLE.findall(PROTOCOL)[0]
        self.assertEqual(bytes.fromhex(length), frame(body.encode())[:LENGTH_SIZE])

    def test_every_request_and_reply_is_there_with_all_its_members(self) -> None:
        table = {}
        for request, asked, reply, answered in rows(self.section("Requests and replies"))[1:]:
            table[request.strip("` \n")] = named(asked)
            table[reply.strip("` \n")] = named(answered)
        for name, kind in REQUESTS.items():
            self.assertIn(name, table)
            self.assertLessEqual(members(kind), table[name], name)
        for name, kind in ANSWERS.items():
            if name.endswith("ResMes") or name == "PongMes":
                self.assertIn(name, table)
                self.assertLessEqual(members(kind), table[name], name)

    def test_everything_pushed_is_there_with_all_its_members(self) -> None:
        table = {
            row[0].strip("` \n"): named(row[1])
            for row in rows(self.section("Pushed by the server"))[1:]
        }
        for name, kind in ANSWERS.items():
            if not name.endswith("ResMes") and name != "PongMes":
                self.assertIn(name, table)
                self.assertLessEqual(members(kind), table[name], name)

    def test_every_value_is_there_with_all_its_members(self) -> None:
        values = self.section("Values")
        kinds: dict[str, type[msgspec.Struct]] = {
            "user": messages.User,
            "entry": messages.Entry,
            "conv": messages.Conversation,
            "session": messages.Session,
            "room": messages.Room,
        }
        for title, kind in kinds.items():
            text = values[values.index(f"\n*{title}*\n") :]
            text = text[: text.find("\n*", 2)] if "\n*" in text[2:] else text
            self.assertLessEqual(members(kind) - {"gone"}, named(text), title)


class GeneratedTest(SynchronousTestCase):
    def test_map_and_example_are_up_to_date(self) -> None:
        generated = runpy.run_path(str(ROOT / "docs" / "generate.py"))["generated"]()
        for path, content in generated.items():
            same = path.read_text(encoding="utf-8") == content
            self.assertTrue(same, f"run 'python docs/generate.py': {path} is out of date")

    def test_every_module_says_in_one_sentence_what_it_is(self) -> None:
        module = runpy.run_path(str(ROOT / "docs" / "generate.py"))
        for path in module["modules"]():
            says = module["first_line"](path)
            self.assertTrue(says.endswith("."), f"{path}: {says}")
            self.assertLess(len(says), 120, path)

    def test_the_example_uncommented_is_what_the_server_does_without_it(self) -> None:
        self.patch(os, "environ", {"HOME": "/tmp"})
        example = (ROOT / "docs" / "chatroom.toml").read_text(encoding="utf-8")
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(re.sub(r"(?m)^# (?=[a-z0-9-]+ = )", "", example))
            file.flush()
            parsed = Options()
            parsed.parseOptions(["--config", file.name])
        self.assertEqual(parsed.settings, Settings())
        for name in options():
            self.assertIn(f"\n# {name} = ", example)


class ClientPageTest(SynchronousTestCase):
    PAGE = (ROOT / "docs" / "client.rst").read_text(encoding="utf-8")

    def test_every_picture_is_there(self) -> None:
        pictures = re.findall(r"^\.\. image:: (\S+)", self.PAGE, re.MULTILINE)
        self.assertGreater(len(pictures), 5)
        for each in pictures:
            self.assertIn("</svg>", (ROOT / "docs" / each).read_text(encoding="utf-8"), each)

    def test_every_key_command_and_option_that_it_speaks_of_exists(self) -> None:
        keys = {key_name(key) for each in KEYS for key in each.keys} | {"Alt-1", "Alt-9"}
        for key in re.findall(r"``((?:Ctrl|Alt|Shift)-[^`]+|F\d+)``", self.PAGE):
            for each in key.split(", "):
                self.assertIn(each.replace("Alt-1 … Alt-9", "Alt-1"), keys)
        for name in re.findall(r"``/(\w\w+)", self.PAGE):
            self.assertIsNotNone(find(name), name)
        options = {text for _, parser in self.programs() for text in parser._option_string_actions}
        for option in re.findall(r"(--[a-z][a-z-]+)", self.PAGE):
            self.assertIn(option, options)

    def programs(self) -> list[tuple[str, ArgumentParser]]:
        found = runpy.run_path(str(ROOT / "docs" / "manual.py"))["programs"]()
        return list(found)

    def test_the_example_uncommented_is_what_the_client_does_without_it(self) -> None:
        example = (ROOT / "docs" / "config.toml").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory(dir="/tmp") as directory:
            path = Path(directory) / "config.toml"
            path.write_text(re.sub(r"(?m)^# (?=[a-z0-9-]+ = |\[\[)", "", example))
            self.assertEqual(read_settings(path, "default"), ClientSettings())

    def test_the_film_is_a_recording_that_asciinema_plays(self) -> None:
        lines = (ROOT / "docs" / "session.cast").read_text(encoding="utf-8").splitlines()
        head = json.loads(lines[0])
        self.assertEqual((head["version"], head["width"] > 80), (2, True))
        screen = pyte.Screen(head["width"], head["height"])
        stream = pyte.Stream(screen)
        before = 0.0
        for line in lines[1:]:
            at, kind, text = json.loads(line)
            self.assertEqual((kind, at >= before), ("o", True))
            before = at
            stream.feed(text)
        self.assertIn("sent while the server is away", "\n".join(screen.display))


class ReadmeTest(SynchronousTestCase):
    README = (ROOT / "README.rst").read_text(encoding="utf-8")

    def test_every_option_in_the_readme_exists(self) -> None:
        named = set(re.findall(r"``--([a-z0-9-]+)", self.README))
        self.assertGreater(len(named), 8)
        self.assertLessEqual(named - {"config", "help"}, set(options()))

    def test_every_test_and_program_that_a_page_names_exists(self) -> None:
        pages = [*(ROOT / "docs").glob("*.rst"), *ROOT.glob("*.rst")]
        text = "".join(page.read_text(encoding="utf-8") for page in pages)
        files = {f"tests/{name}.py" for name in re.findall(r"``(test_\w+)``", text)}
        modules = re.findall(r"python -m ((?:benchmarks|tests|chat|fuzz|docs)[\w.]*)", text)
        names = [name.rstrip(".").replace(".", "/") for name in modules]
        files |= {
            f"{name}/__main__.py" if (ROOT / name).is_dir() else f"{name}.py" for name in names
        }
        self.assertGreater(len(files), 20)
        self.assertEqual([name for name in sorted(files) if not (ROOT / name).exists()], [])

    def test_every_file_of_the_code_that_is_named_anywhere_exists(self) -> None:
        kinds = ["*.rst", "docs/*.rst", *(f"chat/**/*.{end}" for end in ("py", "lua"))]
        pages = [page for kind in kinds for page in ROOT.glob(kind)]
        text = "".join(page.read_text(encoding="utf-8") for page in pages)
        named = set(re.findall(r"\bchat/[a-z_/]+\.(?:py|lua)\b", text))
        self.assertGreater(len(named), 20)
        self.assertEqual([name for name in sorted(named) if not (ROOT / name).exists()], [])

    def test_every_file_in_the_readme_exists(self) -> None:
        for name in re.findall(r"``((?:docs|examples)/[^`]+|[A-Z]+(?:\.rst)?)``", self.README):
            self.assertTrue((ROOT / name).exists(), name)
