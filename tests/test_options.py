"""The server's options: defaults, both ways of writing them, and one sentence for what is wrong."""

import io
import os
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat.server.kinds import Kind
from chat.server.options import Options, default_text, describe
from chat.server.settings import Settings, default_data_directory, options
from chat.store.link.address import Address
from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent

TWISTD = "from twisted.scripts.twistd import run; run()"

WRONG = {
    "listen": ["", "foo", "tcp", "tcp:x", "tcp:1:2:3:4", "ssl:1:privateKey=/does/not/exist"],
    "metrics": ["\n", "x\ry:1"],
    "data": [
        "",
        "/dev/null",
        "/dev/null/below",
        "~nobody-of-this-name/x",
        "/tmp/" + "x" * 300,
        "/tmp/\udcff",
    ],
    "store": ["http://host", "redis://", "redis://host:x", "redis+unix://", "redis://host/x"],
    "prefix": ["", "{a}", "a b", "密", "x" * 33],
    "durability": ["", "never"],
    "language": ["", "de"],
    "log-level": ["loud"],
    "argon2": ["", "0,8,1", "1,7,1", "1,8,2", "2,19456", "2,19456,1,1", "1001,8,1", "a,b,c"],
    "retention": ["", "x", "-1", "1,", "1,x", "1,-1", "1,2,3", "inf"],
    "frame-limit": ["-1", "4095", "1e5", "99999999999"],
    "rate": ["", "20", "20,", "20,0", "0,5", "a,b", "-1,1", "1,nan", "1.5,1"],
    "request-rate": ["x"],
    "login-seconds": ["-1", "x", "nan", "inf", ""],
    "store-deadline": ["0", "-1"],
    "hashing-threads": ["0", "x"],
    "direct-writes": ["", "true", "1"],
}


def numbers() -> list[str]:
    """The options that are plain limits."""
    return [name for name, option in options().items() if option.metadata["kind"].form == "N"]


class OptionsCase(SynchronousTestCase):
    def parse(self, *words: str) -> Settings:
        """What the server's settings are after ``twistd chatroom *words``."""
        made = Options()
        made.parseOptions(["--data", "/tmp", *words] if "--data" not in words else words)
        return made.settings

    def refusal(self, *words: str) -> str:
        """The one line on standard error that ``words`` are refused with."""
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        with self.assertRaises(SystemExit) as exit:
            self.parse(*words)
        self.assertEqual(exit.exception.code, 1, words)
        text = said.getvalue()
        self.assertTrue(text.startswith("chatroom: "), text)
        self.assertEqual(text.count("\n"), 1, text)
        return text

    def directory(self) -> Path:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        return Path(made.name)

    def file(self, text: str | bytes) -> str:
        path = self.directory() / "chatroom.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)


class CommandLineTest(OptionsCase):
    def test_every_default_works(self) -> None:
        self.assertEqual(self.parse(), Settings(data=Path("/tmp")))

    def test_every_default_can_be_written_out(self) -> None:
        for name, option in options().items():
            if name == "data" or option.metadata["kind"].flag:
                continue
            default = getattr(Settings(), option.name)
            written = default[0] if name == "listen" else option.metadata["kind"].write(default)
            self.assertEqual(getattr(self.parse(f"--{name}={written}"), option.name), default)

    def test_values_arrive_as_what_they_mean(self) -> None:
        settings = self.parse(
            *("--listen", "tcp:1", "--listen", "unix:/tmp/x"),
            *("--argon2", "3,65536,4", "--rate", "7,0.5", "--request-rate", "0"),
            *("--retention", "30,1000", "--rooms", "0", "--direct-writes", "no"),
            *("--store", "redis://host:1/2", "--language", "zh", "--offline-grace", "2.5"),
        )
        self.assertEqual(settings.listen, ("tcp:1", "unix:/tmp/x"))
        self.assertEqual(settings.argon2, (3, 65536, 4))
        self.assertEqual(settings.rate, (7, 0.5))
        self.assertEqual(settings.request_rate, (0, 0.0))
        self.assertEqual(settings.retention, (30.0, 1000))
        self.assertEqual(settings.rooms, 0)
        self.assertIs(settings.direct_writes, False)
        self.assertEqual(settings.store, "redis://host:1/2")
        self.assertEqual(settings.language, "zh")
        self.assertEqual(settings.offline_grace, 2.5)

    def test_days_alone_keep_any_number_of_messages(self) -> None:
        self.assertEqual(self.parse("--retention", "0.5").retention, (0.5, 0))

    def test_every_limit_can_be_switched_off_with_0(self) -> None:
        for name in {*numbers(), "login-seconds", "silence-seconds", "stalled-seconds", "rate"}:
            if name != "hashing-threads":
                value = getattr(self.parse(f"--{name}=0"), name.replace("-", "_"))
                self.assertIn(value, (0, (0, 0.0)), name)

    def test_no_limit_is_below_0_or_text(self) -> None:
        for name in numbers():
            for wrong in ("-1", "x", "", "1.5", "１"):
                self.assertIn(f"--{name}: ", self.refusal(f"--{name}={wrong}"))

    def test_every_wrong_value_is_one_sentence_that_names_its_option(self) -> None:
        for name, values in WRONG.items():
            for value in values:
                said = self.refusal(f"--{name}={value}", *(("--data=/tmp",) * (name != "data")))
                self.assertIn(f"--{name}: ", said)

    def test_what_is_no_option_is_refused(self) -> None:
        self.assertIn("--bad", self.refusal("--bad"))
        self.assertIn("'extra'", self.refusal("extra"))

    def test_options_that_contradict_each_other_are_refused(self) -> None:
        self.assertIn("9", self.refusal("--password-shortest=9", "--password-longest=8"))
        self.assertEqual(self.parse("--password-longest=0").password_longest, 0)

    def test_every_mistake_is_told_wherever_it_stands(self) -> None:
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        self.patch(os, "environ", {"CHATROOM_LEASE": "0", "CHATROOM_RATE": "20,5"})
        path = self.file("rooms = -1\nxyzzy = 3\ndevices = 5\nlogin_seconds = 3\n")
        with self.assertRaises(SystemExit):
            self.parse("--config", path, "--language=de", "--password-shortest=9999999999")
        starts = [line.split()[:2] for line in said.getvalue().splitlines()]
        names = ["rooms", "xyzzy", "login_seconds", "CHATROOM_LEASE:", "--language:"]
        self.assertEqual(starts, [["chatroom:", name] for name in [*names, "--password-shortest:"]])

    def test_what_is_wrong_with_a_network_is_told(self) -> None:
        said = self.refusal("--proxy-from=10.0.0.1/8")
        self.assertIn("10.0.0.1/8 has host bits set; write ", said)
        self.assertIn("write addresses and networks such as 10.0.0.0/8", self.refusal("--exempt=x"))

    def test_a_stores_password_is_not_repeated(self) -> None:
        self.assertNotIn("hunter2", self.refusal("--store=redis://:hunter2@"))

    def test_the_data_directory_need_not_exist_and_is_not_made(self) -> None:
        path = self.directory() / "a" / "b"
        self.assertEqual(self.parse("--data", str(path)).data, path)
        self.assertFalse(path.parent.exists())

    def test_a_data_directory_that_may_not_be_written_is_refused(self) -> None:
        self.patch(os, "access", lambda path, mode: False)
        self.assertIn("you may not write in /tmp", self.refusal("--data", "/tmp/chatroom-x"))

    def test_with_a_store_elsewhere_the_data_directory_does_not_matter(self) -> None:
        self.parse("--data", "/dev/null/x", "--store", "redis://host")

    def test_a_variable_that_nearly_is_an_options_is_told_and_ends_nothing(self) -> None:
        for wrong, meant in (
            ("CHATROOM_METRIC", "METRICS"), ("CHATROOM_LOG-LEVEL", "LOG_LEVEL"),
            ("CHATROOM_STORE_URL", "STORE"), ("CHATROOM_DATA_DIR", "DATA"),
            ("CHATROOM_PASSWORD", ""), ("CHATROOM_PORT", ""), ("CHATROOM_SERVICE_HOST", ""),
            ("CHATROOM_DEVICES", ""), ("XCHATROOM_METRIC", ""), ("CHATROOM_CONFIG", ""),
        ):  # fmt: skip
            said = io.StringIO()
            self.patch(sys, "stderr", said)
            self.patch(os, "environ", {wrong: ""})
            self.assertEqual(self.parse(), Settings(data=Path("/tmp")))
            sentence = f"chatroom: {wrong} in the environment is no option of the server; "
            self.assertEqual(said.getvalue(), meant and f"{sentence}CHATROOM_{meant} is\n")

    def test_the_file_can_be_named_in_the_environment(self) -> None:
        self.patch(os, "environ", {"CHATROOM_CONFIG": self.file("rooms = 7")})
        self.assertEqual(self.parse().rooms, 7)
        self.assertEqual(self.parse("--config", self.file("rooms = 8")).rooms, 8)

    def test_the_default_directory_follows_the_environment(self) -> None:
        self.patch(os, "environ", {"XDG_DATA_HOME": "/somewhere"})
        self.assertEqual(default_data_directory(), Path("/somewhere/chatroom/server"))

    def test_the_standard_has_relative_directories_ignored(self) -> None:
        self.patch(os, "environ", {"XDG_DATA_HOME": "here", "HOME": "/home"})
        self.assertEqual(default_data_directory(), Path("/home/.local/share/chatroom/server"))

    def test_who_has_no_home_has_to_say_where(self) -> None:
        self.patch(os.path, "expanduser", lambda path: path)  # as for a user whom no file names
        self.assertEqual(self.parse().data, Path("/tmp"))
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        with self.assertRaises(SystemExit):
            Options().parseOptions([])
        self.assertIn("chatroom: data: this user has no home directory", said.getvalue())

    @given(
        name=st.sampled_from(sorted(set(options()) - {"listen"})),
        value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    )
    def test_any_text_is_either_a_value_or_one_sentence(self, name: str, value: str) -> None:
        stderr, sys.stderr = sys.stderr, io.StringIO()
        try:
            self.parse(f"--{name}={value}")
        except SystemExit as exit:
            self.assertEqual(exit.code, 1)
            self.assertEqual(sys.stderr.getvalue().count("\n"), 1)
        finally:
            sys.stderr = stderr


class EnvironmentTest(OptionsCase):
    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.addCleanup(os.environ.pop, f"CHATROOM_{name}", None)
            os.environ[f"CHATROOM_{name}"] = value

    def test_it_wins_over_the_file_and_the_command_line_over_it(self) -> None:
        path = self.file("rooms = 7\ndevices = 8\nreplay = 9\n")
        self.set(ROOMS="70", DEVICES="80")
        settings = self.parse("--config", path, "--rooms", "700")
        self.assertEqual((settings.rooms, settings.devices, settings.replay), (700, 80, 9))

    def test_a_directory_on_the_command_line_wins_over_a_store_named_elsewhere(self) -> None:
        path = self.file('store = "redis://user@file"\nstore-password-file = "/does/not/exist"\n')
        self.set(STORE="redis://environment")
        self.assertEqual(self.parse("--config", path, "--data", "/tmp").store, "")
        both = ("--data", "/tmp", "--store", "redis://line")
        self.assertEqual(self.parse(*both).store, "redis://line")
        self.set(DATA="/tmp")
        elsewhere = Options()
        elsewhere.parseOptions([])
        self.assertEqual(elsewhere.settings.store, "redis://environment")

    def test_several_values_are_separated_by_spaces(self) -> None:
        self.set(LISTEN="tcp:1 tcp:2")
        self.assertEqual(self.parse().listen, ("tcp:1", "tcp:2"))

    def test_a_wrong_value_is_one_sentence_that_names_the_variable(self) -> None:
        self.set(LOGIN_SECONDS="soon")
        self.assertIn("CHATROOM_LOGIN_SECONDS: 'soon' is not", self.refusal())

    def test_an_empty_variable_and_those_of_others_say_nothing(self) -> None:
        self.set(STORE="", PASSWORD="xyzzy", NO_SUCH_OPTION="1")
        self.assertEqual(self.parse(), Settings(data=Path("/tmp")))


class StorePasswordTest(OptionsCase):
    def password(self, content: bytes = b"p@ss/w:rd\n") -> str:
        path = self.directory() / "password"
        path.write_bytes(content)
        return f"--store-password-file={path}"

    def test_it_completes_the_url_wherever_the_store_is(self) -> None:
        for url, whole in {
            "redis://host:1/2": "redis://:p%40ss%2Fw%3Ard@host:1/2",
            "redis://user@host": "redis://user:p%40ss%2Fw%3Ard@host",
            "redis+unix:///s?db=1": "redis+unix://:p%40ss%2Fw%3Ard@/s?db=1",
        }.items():
            settings = self.parse("--store", url, self.password())
            self.assertEqual(settings.store, whole)
            self.assertEqual(Address.parse(settings.store).password, "p@ss/w:rd")
            self.assertNotIn("p@ss", str(Address.parse(settings.store)))

    def test_what_does_not_go_together_is_refused(self) -> None:
        wrong = {
            "has a password of its own": ["--store=redis://:hunter2@host", self.password()],
            "it is for a store of your own": [self.password()],
            "No such file": ["--store=redis://host", "--store-password-file=/does/not/exist"],
            "is empty": ["--store=redis://host", self.password(b"\n")],
            "it is no text": ["--store=redis://host", self.password(b"\xff")],
            "names a user but no password": ["--store=redis://user@host"],
        }
        for why, words in wrong.items():
            said = self.refusal(*words)
            self.assertIn(why, said)
            self.assertNotIn("hunter2", said)


class FileTest(OptionsCase):
    def test_the_file_has_the_same_names_and_toml_has_types(self) -> None:
        path = self.file(
            'listen = ["tcp:1", "tcp:2"]\nlanguage = "zh"\nrooms = 7\nlogin-seconds = 2.5\n'
            'rate = [7, 0.5]\nargon2 = "3,64,1"\ndirect-writes = false\nretention = 30\n'
        )
        settings = self.parse("--config", path)
        self.assertEqual(settings.listen, ("tcp:1", "tcp:2"))
        self.assertEqual(settings.language, "zh")
        self.assertEqual(settings.rooms, 7)
        self.assertEqual(settings.login_seconds, 2.5)
        self.assertEqual(settings.rate, (7, 0.5))
        self.assertEqual(settings.argon2, (3, 64, 1))
        self.assertIs(settings.direct_writes, False)
        self.assertEqual(settings.retention, (30.0, 0))

    def test_the_command_line_wins(self) -> None:
        path = self.file('listen = "tcp:1"\nrooms = 7\ndevices = 8\n')
        settings = self.parse("--rooms", "9", "--config", path, "--listen", "tcp:3")
        self.assertEqual((settings.rooms, settings.devices), (9, 8))
        self.assertEqual(settings.listen, ("tcp:3",))

    def test_an_unknown_name_is_refused_with_the_name_that_was_meant(self) -> None:
        said = self.refusal("--config", self.file("login_seconds = 3\n"))
        self.assertIn("login_seconds in ", said)
        self.assertIn("login-seconds is", said)
        self.assertIn("xyzzy", self.refusal("--config", self.file("xyzzy = 3\n")))

    def test_a_value_of_the_wrong_type_is_refused(self) -> None:
        for line in (
            *("data = 5", "language = 3", "rooms = true", "rooms = 2.0", "rooms = [1, 2]"),
            *("listen = 8889", "rate = {burst = 1}", "rate = 1979-05-27", "rooms = -1"),
            *("login-seconds = nan", "listen = [[1]]", "direct-writes = 1", "store = 6379"),
        ):
            name = line.split()[0]
            self.assertIn(f"{name} in ", self.refusal("--config", self.file(line)), line)

    def test_a_file_may_begin_with_the_mark_that_some_editors_write(self) -> None:
        self.assertEqual(self.parse("--config", self.file("\ufeffrooms = 7\r\n")).rooms, 7)

    def test_what_is_no_toml_is_refused(self) -> None:
        for text in ("rooms", "rooms = ", "[", "rooms = 1\nrooms = 2\n"):
            self.assertIn("is no TOML", self.refusal("--config", self.file(text)))
        self.assertIn("is no TOML", self.refusal("--config", self.file(b"\xff\xfe")))

    def test_a_file_that_cannot_be_read_is_refused(self) -> None:
        self.assertIn("No such file", self.refusal("--config", "/does/not/exist"))
        self.assertIn("Is a directory", self.refusal("--config", "/tmp"))


class HelpTest(SynchronousTestCase):
    def test_help_names_every_option_with_its_meaning_and_default(self) -> None:
        said = " ".join(str(Options()).split())
        for name, option in options().items():
            self.assertIn(f"--{name}" if option.metadata["kind"].flag else f"--{name}=", said)
            self.assertIn(" ".join(describe(option).split()), said)

    def test_every_field_has_a_kind_a_meaning_and_a_default(self) -> None:
        for each in fields(Settings):
            self.assertIsInstance(each.metadata["kind"], Kind)
            self.assertTrue(each.metadata["help"])
            self.assertTrue(default_text(each))


class TwistdTest(SynchronousTestCase):
    def twistd(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory(dir="/tmp") as away:
            return subprocess.run(
                [sys.executable, "-c", TWISTD, "-n", "--pidfile=", "chatroom", *words],
                cwd=away,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )

    def test_a_wrong_option_ends_twistd_with_status_1_and_one_line(self) -> None:
        done = self.twistd("--rate", "fast")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Achatroom: --rate: 'fast' is not .*\n\Z")

    def test_options_can_be_checked_before_they_are_used(self) -> None:
        done = self.twistd("--check-config", "--rooms=7")
        self.assertEqual((done.returncode, done.stdout), (0, "chatroom: the options are right\n"))
        done = self.twistd("--check-config", "--tls-cert=/no/such")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("TLS: cannot read /no/such", done.stderr)
        done = self.twistd("--check-config", "--rooms=many")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("--rooms: 'many' is not", done.stderr)

    def test_help_ends_with_status_0(self) -> None:
        done = self.twistd("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--connections-per-address=", done.stdout)
        done = self.twistd("--help", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_help_of_which_only_the_beginning_is_read_is_no_traceback(self) -> None:
        reading, closed = os.pipe()
        os.close(reading)
        for words in (["--help"], ["--version"]):
            command = [sys.executable, "-u", "-c", TWISTD, "chatroom", *words]
            done = subprocess.run(
                command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, cwd="/"
            )
            self.assertEqual((done.returncode, done.stderr), (141, ""))
        os.close(closed)

    def test_reading_options_leaves_the_reactor_to_twistd(self) -> None:
        code = (
            "import sys; from chat.server import tap; o = tap.Options();"
            "o.parseOptions(['--listen', 'tcp:1', '--store', 'redis://h']);"
            "sys.exit('twisted.internet.reactor' in sys.modules)"
        )
        self.assertEqual(
            subprocess.run([sys.executable, "-c", code], timeout=PATIENCE).returncode, 0
        )
