"""``chatroom admin`` on live servers: what it shows, and what people notice of what it does."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from chat.admin.cli import build_parser
from chat.admin.words import Words
from chat.client.text import width
from tests.party import Party, User
from tests.patience import PATIENCE
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.server import GENEROUS, check_log, serving
from tests.valkey import Valkey, running

ROOT = Path(__file__).parent.parent


LOADED = """
import json, os, sys
from chat.admin import cli, running

for line in sys.stdin:
    words, *files = json.loads(line)
    child = os.fork()
    if not child:
        for descriptor, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        try:
            status = cli.main(words)
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Loads the program once and forks for each command: loading is most of what a command costs."""

ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}


class Loaded:
    """The program, loaded."""

    def __init__(self, home: Path) -> None:
        self._files = [home / "out", home / "errors"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOADED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=ENVIRON,
        )  # fmt: skip

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([words, *map(str, self._files)]), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(words, status, *(f.read_text() for f in self._files))

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no file of the commands grow beyond 1,000 bytes meanwhile."""
        which, pid = resource.RLIMIT_FSIZE, self._process.pid
        soft, hard = resource.prlimit(pid, which)
        resource.prlimit(pid, which, (1_000, hard))
        try:
            yield
        finally:
            resource.prlimit(pid, which, (soft, hard))

    def stop(self) -> None:
        """Let it go."""
        self._process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module", autouse=True)
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    program = Loaded(tmp_path_factory.mktemp("admin"))
    Admin.program = program
    yield
    program.stop()


class Admin:
    """Runs ``chatroom admin`` against one server, each command in a process of its own."""

    program: ClassVar[Loaded]

    def __init__(self, *where: str) -> None:
        self.where = where

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return self.program.run([*words, *self.where])

    def do(self, *words: str) -> str:
        """Run a command that is done; what it printed."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def get(self, *words: str) -> list[dict[str, Any]]:
        """The same with ``--json``."""
        return [json.loads(line) for line in self.do(*words, "--json").splitlines()]

    def refused(self, *words: str) -> str:
        """Run a command that can't be done; the sentence."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr


@pytest.fixture
def admin(server: ServerProcess) -> Admin:
    return Admin("--data", str(server.home / "data"))


def one(rows: list[dict[str, Any]], **members: Any) -> dict[str, Any]:
    """The one row that has these."""
    (found,) = [each for each in rows if members.items() <= each.items()]
    return found


def log_in(party: Party, user: User, password: str = "") -> dict[str, Any]:
    """Try to log in; the reply."""
    peer = party.connect()
    return peer.log_in(userId=user.user_id, userPwd=password or user.password, device="new")


def test_users_and_sessions_are_listed(admin: Admin, party: Party) -> None:
    user = party.user("listed")
    peer = party.current(user, device="desk")
    found = one(admin.get("users", "LISTED"), userId=user.user_id)
    assert (found["userName"], found["online"], found["suspended"]) == (user.name, True, False)
    assert "no device" in admin.refused("logout", user.name, "--device", "")
    assert one(admin.get("sessions", user.name), device="desk")["online"]
    admin.do("logout", f"{user.user_id}", "--device", "desk")
    assert peer.expect("ByeMes")["code"] == 403
    assert "no device" in admin.refused("logout", user.name, "--device", "desk")
    assert "no user" in admin.refused("sessions", "nobody-at-all")
    party.user("listed-too")
    for limit, left in ((1, "Not shown: 1 more.\n"), (2, "")):
        shown = admin.run("users", "listed", "--limit", f"{limit}")
        assert (shown.returncode, shown.stderr) == (0, left)
        assert shown.stdout.count("\n") == 1 + limit


def test_who_is_suspended_is_out_at_once_and_stays_out(admin: Admin, party: Party) -> None:
    user = party.user()
    one_device, original = party.current(user), party.original(user)
    token = one_device.welcome["token"]
    admin.do("suspend", user.name, "--for", "1h", "--reason", "spam")
    bye = one_device.expect("ByeMes")
    assert (bye["code"], bye["error"]) == (403, "This account is suspended.")
    assert one_device.read_to_the_end() == []
    assert {each.type for each in original.read_to_the_end()} <= {"NotifyUserStatusMes"}
    refused = log_in(party, user)
    assert (refused["code"], refused["error"]) == (505, "This account is suspended.")
    assert party.connect().log_in(token=token, device="x")["code"] == 505
    assert log_in(party, user, "wrong password")["code"] == 403
    assert party.connect_original().log_in(user.user_id, user.password)["code"] == 505
    admin.do("reinstate", user.name)
    assert party.connect().log_in(token=token, device="x")["code"] == 200
    actions = [each["action"] for each in admin.get("audit", "-n", "500")]
    assert {"suspend", "reinstate"} <= set(actions)


def test_a_password_is_reset_and_every_session_ends(admin: Admin, party: Party) -> None:
    user = party.user()
    peer = party.current(user)
    (told,) = admin.get("password", user.name)
    assert peer.expect("ByeMes")["code"] == 403
    assert log_in(party, user)["code"] == 403
    assert log_in(party, user, told["userPwd"])["code"] == 200
    assert party.connect().log_in(token=peer.welcome["token"], device="x")["code"] == 403


def test_a_password_comes_from_a_file_that_can_be_used(
    admin: Admin, party: Party, tmp_path: Path
) -> None:
    user, file = party.user(), tmp_path / "password"
    for written, why in (
        (b"\xff\xfe\n", "can't decode"), (b"", "empty"), (b"x" * 129, "at most 128 characters"),
    ):  # fmt: skip
        file.write_bytes(written)
        assert why in admin.refused("password", user.name, "--password-file", str(file))
    assert log_in(party, user)["code"] == 200
    file.write_bytes(b"x" * 128 + b"\r\nnot this\n")
    assert admin.do("password", user.name, "--password-file", str(file)) == ""
    assert log_in(party, user, "x" * 128)["code"] == 200


def test_rooms_bans_and_moderation_of_any_room(admin: Admin, party: Party) -> None:
    owner, guest = party.current(), party.current()
    room = party.room()
    owner.get("JoinMes", conversation=room, private=True, topic="secret")
    found = one(admin.get("rooms"), conversation=room)
    assert (found["private"], found["members"], found["topic"]) == (True, 1, "secret")
    assert one(admin.get("rooms"), conversation="#lobby")["members"] is None
    assert re.search("^#lobby +all ", admin.do("rooms"), re.MULTILINE)
    assert one(admin.get("members", room), userId=owner.user_id)["role"] == "owner"
    admin.do("moderate", room, "invite", str(guest.user_id))
    assert guest.expect("InvitationMes")["userName"] == "#server"
    guest.get("JoinMes", conversation=room)
    admin.do("moderate", room, "ban", str(owner.user_id), "--for", "1d", "--reason", "enough")
    entry = guest.expect("SmsMes", conversation=room, kind="ban")
    assert (entry["userId"], entry["content"], entry["seconds"]) == (0, "enough", 86_400)
    assert guest.expect("SmsMes", conversation=room, kind="role")["target"] == guest.user_id
    held = one(admin.get("bans"), action="ban", conversation=room)
    assert (held["userId"], held["by"]) == (owner.user_id, 0)
    assert "no room" in admin.refused("moderate", "#no-such-room", "slow")
    assert "no room" in admin.refused("members", "#no-such-room")
    assert "no room" in admin.refused("bans", "#no-such-room")
    assert "USER" in admin.refused("moderate", room, "kick")
    noted = one(admin.get("audit"), action="ban", conversation=room)
    assert (noted["by"], noted["target"], noted["seconds"]) == (0, owner.user_id, 86_400)
    assert noted["reason"] == "enough"
    assert room in admin.do("rooms")


def test_what_is_done_is_done_though_a_full_store_cannot_note_it() -> None:
    with (
        running("--maxmemory-policy", "noeviction") as store,
        serving(*GENEROUS, "--store", store.url) as server,
        Party(server.port) as party,
    ):
        user = party.user()
        party.current(user)
        store.ask("CONFIG", "SET", "maxmemory", "1")
        done = Admin("--store", store.url).run("logout", user.name)
        assert (done.returncode, done.stdout) == (0, f"{user.name} is logged out.\n")
        assert "was done" in done.stderr
        assert "maxmemory" in done.stderr
        assert "refuses" in Admin("--store", store.url).refused("suspend", user.name)
        store.ask("CONFIG", "SET", "maxmemory", "0")


def test_an_administrator_acts_in_rooms_until_dismissed(admin: Admin, party: Party) -> None:
    owner, chief = party.current(), party.current()
    room = party.room_of(owner)
    act = {"conversation": room, "action": "mute", "userId": owner.user_id}
    assert chief.ask("ModerateMes", **act)["code"] == 403
    admin.do("appoint", str(chief.user_id))
    assert chief.ask("ModerateMes", **act)["code"] == 200
    admin.do("dismiss", str(chief.user_id))
    assert chief.ask("ModerateMes", **act)["code"] == 403


def test_everybody_hears_an_announcement(admin: Admin, party: Party) -> None:
    peer, original = party.current(), party.original()
    admin.do("announce", "We restart at noon.")
    assert peer.expect("SmsMes", kind="announce")["content"] == "We restart at noon."
    heard = original.hear("SmsMes", userId=0)
    assert heard["content"] == "[系统] We restart at noon."
    assert peer.ask("ModerateMes", conversation="#lobby", action="announce")["code"] == 403
    assert "nothing to say" in admin.refused("announce", " ")


def test_what_people_are_shown_is_a_line_that_they_could_have_written_themselves(
    admin: Admin, party: Party
) -> None:
    peer, user = party.current(), party.user()
    room = party.room_of(peer)
    for text in ("x" * 1_001, "字" * 334, "two\nlines", "\x1b[31mred", "half \udcff"):
        for words in (
            ("announce", text),
            ("moderate", room, "ban", user.name, "--reason", text),
            ("suspend", user.name, "--reason", text),
            ("invite", "--note", text),
        ):
            assert "one line of at most 1000 bytes" in admin.refused(*words)
    admin.do("moderate", room, "ban", user.name, "--reason", "字" * 333)
    assert peer.expect("SmsMes", conversation=room, kind="ban")["content"] == "字" * 333


def test_times_are_bounded_as_those_of_moderators_are(admin: Admin, party: Party) -> None:
    user, room = party.user(), party.room_of(party.current())
    for words in (("suspend", user.name), ("moderate", room, "ban", user.name), ("invite",)):
        assert "too long: at most" in admin.refused(*words, "--for", "3651d")
        admin.do(*words, "--for", "3650d")
        for nothing in ("", "0", "0s", "soon"):
            assert "is no time" in admin.refused(*words, "--for", nothing)
    admin.do("moderate", room, "slow", "--for", "0")
    assert "at most 1d" in admin.refused("moderate", room, "slow", "--for", "25h")
    admin.do("moderate", room, "slow", "--for", "24h")
    for words in (("kick", user.name), ("invite", user.name), ("private",)):
        assert "takes no --for" in admin.refused("moderate", room, *words, "--for", "1h")
    # No more than the store can count to.
    assert len(admin.get("invite", "--uses", str(10**9))) == 1
    for words in (("invite", "--uses"), ("audit", "-n")):
        for number in (10**9 + 1, 0):
            with pytest.raises(SystemExit):
                build_parser(Words("en")).parse_args([*words, str(number)])


def test_what_only_looks_like_a_number_is_nobodys_id(admin: Admin) -> None:
    for who in ("²", "９" * 3, "9" * 5000):
        assert "no user" in admin.refused("sessions", who)
    assert "text in UTF-8" in admin.refused("sessions", "half \udcff")


def test_tables_line_up_whatever_is_written_and_one_cell_pushes_nobody_away(
    admin: Admin, party: Party
) -> None:
    owner = party.current(party.user("红楼梦宝玉"))
    room = party.room_of(owner)
    owner.get("ModerateMes", conversation=room, action="slow", seconds=1, reason="x" * 900)
    said = owner.post(room, "here")
    owner.get("ReportMes", conversation=room, seq=said["seq"], reason="y" * 900)
    head, *lines = admin.do("reports").splitlines()
    place = head.index("entry")
    mine = next(line for line in lines if "红楼梦宝玉" in line)
    assert width(mine[: mine.index('{"seq"')]) == place
    assert place < 160
    assert "…" in mine


def test_statistics_reports_and_invitations(admin: Admin, party: Party) -> None:
    one_peer, other = party.current(), party.current()
    (before,) = admin.get("statistics")
    assert before["users"] >= 2
    assert before["online"] >= 2
    assert before["servers"] == 1
    said = other.post(one_peer.at, "something awful")
    one_peer.get("ReportMes", conversation=other.at, seq=said["seq"], reason="awful")
    report = one(admin.get("reports"), sender=other.user_id)
    assert (report["by"], report["seq"]) == (one_peer.user_id, said["seq"])
    assert report["entry"]["content"] == "something awful"
    assert report["conversation"] == other.at
    admin.do("reports", "--close", report["id"])
    for unknown in (report["id"], "that", "9" * 30):
        assert "no report" in admin.refused("reports", "--close", unknown)
    assert admin.get("audit", "-n", "1")[0]["name"] == "#server"
    (made,) = admin.get("invite", "--uses", "2", "--for", "1d", "--note", "for friends")
    assert one(admin.get("invitations"), id=made["id"])["left"] == 2
    admin.do("withdraw", made["id"])
    assert "no invitation" in admin.refused("withdraw", made["id"])
    noted = [(each["action"], each["seconds"], each["reason"]) for each in admin.get("audit")]
    assert ("invite", 86_400, f"{made['id']} for friends") in noted
    assert ("withdraw", 0, made["id"]) in noted


def test_a_store_with_very_many_rooms_is_counted_and_listed() -> None:
    with running() as store:
        admin = Admin("--store", store.url)
        admin.do("announce", "the first room, of which the others are copies")
        (lobby,) = store.ask("KEYS", "*:meta")
        copying = "for i = 1, 10000 do redis.call('COPY', KEYS[1], ARGV[1] .. i .. ARGV[2]) end"
        store.ask("EVAL", copying, 1, lobby, *lobby.split(b"lobby"))
        (counted,) = admin.get("statistics")
        assert (counted["rooms"], counted["entries"]) == (10_001, 10_001)
        assert len(admin.get("rooms")) == 10_001
        store.ask("SET", lobby, "what no chat server wrote")
        assert admin.refused("statistics").count("\n") == 1


def test_it_is_part_of_the_chatroom_command(server: ServerProcess) -> None:
    words = [sys.executable, "-m", "chat.command", "admin", "statistics", "--data"]
    done = subprocess.run(
        [*words, server.home / "data"], capture_output=True, timeout=PATIENCE, env=ENVIRON,
        text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "storeVersion" in done.stdout


def test_output_that_nobody_reads_or_has_room_for_is_no_traceback(server: ServerProcess) -> None:
    words = [sys.executable, "-m", "chat.command", "admin", "statistics", "--data"]
    reading, closed = os.pipe()
    os.close(reading)
    full = "chatroom admin: The output can't be written: No space left on device\n"
    for out, expected in ((closed, (141, "")), (os.open("/dev/full", os.O_WRONLY), (1, full))):
        done = subprocess.run(
            [*words, server.home / "data"], stdout=out, stderr=subprocess.PIPE, timeout=PATIENCE,
            env=ENVIRON, text=True, check=False,
        )  # fmt: skip
        os.close(out)
        assert (done.returncode, done.stderr) == expected


def test_what_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    assert "No server is running" in Admin("--data", str(tmp_path)).refused("users")
    nowhere = Admin("--store", f"redis+unix://{tmp_path}/nothing")
    assert "No such file or directory" in nowhere.refused("users")
    wrong = Admin("--store", "http://x").run("users")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (1, "", 1)
    assert wrong.stderr.startswith("chatroom admin: --store: ")


def test_a_store_that_does_not_let_one_in_is_not_said_to_be_silent() -> None:
    with running() as store:
        path = store.url.removeprefix("redis+unix://")
        store.ask("CONFIG", "SET", "requirepass", "right")
        for login, why in (("", "NOAUTH"), (":not-this@", "WRONGPASS")):
            said = Admin("--store", f"redis+unix://{login}{path}").refused("users")
            assert why in said
            assert "not-this" not in said
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"redis://127.0.0.1:{silent.getsockname()[1]}"
            assert "it does not answer" in Admin("--store", address).refused("users")


# One user's data -------------------------------------------------------------------------------


def test_a_user_takes_everything_along(admin: Admin, party: Party, tmp_path: Path) -> None:
    user, other = party.user(), party.current()
    peer = party.current(user)
    room = party.room_of(peer)
    for to, text in ((room, "in the room"), (other.at, "in private"), ("#lobby", "für alle 全体")):
        peer.post(to, text)
    other.post(peer.at, "an answer")
    peer.post(room, "said so before", reply=2)
    peer.get("BlockMes", userId=other.user_id)
    elsewhere = party.room_of(other)
    admin.do("moderate", elsewhere, "ban", user.name, "--for", "1h")
    path = tmp_path / "data.jsonl"
    with admin.program.full_disk():
        assert "too large" in admin.refused("export", user.name, str(path))
    assert not path.exists()
    admin.do("export", user.name, str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["account"]["userName"] == user.name
    assert "password" not in path.read_text()
    assert lines[1]["blocked"] == [other.user_id]
    assert lines[1]["rooms"] == [room]
    ban = one(lines[1]["sanctions"], conversation=elsewhere, action="ban", by=0)
    assert ban["until"] == ban["since"] + 3_600_000
    (noted,) = admin.get("audit", "-n", "1")
    assert (noted["action"], noted["target"]) == ("export", user.user_id)
    assert list(lines[1]["addresses"]) == ["127.0.0.1"]
    assert admin.do("export", user.name, "-") == path.read_text()
    said = [each["entry"]["content"] for each in lines if "entry" in each]
    assert {"in the room", "in private", "für alle 全体"} <= set(said)
    assert "an answer" not in path.read_text()
    (answer,) = (each["entry"] for each in lines if each.get("entry", {}).get("reply"))
    assert (answer["content"], answer["reply"]) == ("said so before", 2)
    simple = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    words = ["export", user.name, str(tmp_path / "there"), *admin.where]
    program = [sys.executable, "-m", "chat.admin.cli"]
    subprocess.run([*program, *words], env={**ENVIRON, **simple}, check=True, timeout=PATIENCE)
    assert "für alle 全体" in (tmp_path / "there").read_text("utf-8")
    assert "can't be written" in admin.refused("export", user.name, str(path))


def test_who_is_deleted_leaves_numbers_and_nothing_else(admin: Admin, party: Party) -> None:
    user, other, witness = party.user(), party.current(), party.current()
    peer = party.current(user)
    room = party.room_of(peer, other, witness)
    peer.post(room, "my words")
    other.post(room, "an answer")
    peer.post(other.at, "my secret")
    other.post(witness.at, "no secret")
    named_like_it = f"#{{p:{user.user_id}:{user.user_id + 1}}}"
    witness.get("JoinMes", conversation=named_like_it)
    assert "Nothing brings them back" in admin.refused("delete", user.name)
    assert user.name in admin.do("delete", user.name, "--yes", user.name)
    bye = peer.expect("ByeMes")
    assert (bye["code"], bye["error"]) == (403, "This account was deleted.")
    assert other.ask("SmsMes", to=f"@{user.user_id}", content="are you there?")["code"] == 404
    other.post(witness.at, "are you there?")
    witness.post(named_like_it, "not concerned")
    history = witness.whole_history(room)
    assert [each["seq"] for each in history] == list(range(1, len(history) + 1))
    assert user.name not in json.dumps(history)
    assert "an answer" in json.dumps(history)
    assert other.conversation(room)["role"] == "owner"
    private = other.get("HistoryMes", conversation=f"@{user.user_id}")["messages"]
    assert private[0] == {"seq": 1, "deleted": True}
    for each, conversation in ((witness, room), (other, room), (other, f"@{user.user_id}")):
        told = each.expect("SmsMes", conversation=conversation, kind="erase")
        assert (told["userId"], told["target"], "targetName" in told) == (0, user.user_id, False)
    assert [each.get("kind", "") for each in private] == ["", "erase"]
    assert witness.ask("LookupMes", userId=user.user_id)["code"] == 404
    assert log_in(party, user)["code"] == 500
    again = party.connect().register(
        userId=user.user_id, userName="x-" + user.name, userPwd="secret 1"
    )
    assert again["code"] == 505
    assert party.connect().register(userName=user.name, userPwd="secret 1")["code"] == 200


def test_who_is_deleted_is_named_on_nobodys_list(admin: Admin, party: Party) -> None:
    user, other = party.user(), party.current()
    peer = party.current(user)
    rooms = [party.room_of(peer, other), party.room_of(other)]
    other.get("BlockMes", userId=user.user_id)
    guest = party.current()
    for room, host in zip(rooms, (peer, other), strict=True):
        host.get("ModerateMes", conversation=room, action="invite", userId=guest.user_id)
    admin.do("delete", user.name, "--yes", user.name)
    assert other.get("BlocksMes")["users"] == []
    invited = guest.get("InvitationsMes")["invitations"]
    hosts = {each["conversation"]: (each["userId"], each["userName"]) for each in invited}
    named = other.user_id, other.welcome["user"]["userName"]
    assert hosts == dict(zip(rooms, ((user.user_id, ""), named), strict=True))


def test_who_is_deleted_is_no_moderator_of_the_lobby_and_never_left_it(
    admin: Admin, party: Party
) -> None:
    user, chief = party.user(), party.current()
    admin.do("appoint", str(chief.user_id))
    act = {"conversation": "#lobby", "action": "moderator", "userId": user.user_id}
    chief.get("ModerateMes", **act)
    chief.expect("SmsMes", kind="role", content="moderator")
    admin.do("delete", user.name, "--yes", user.name)
    told = chief.expect("SmsMes", conversation="#lobby")
    assert (told["kind"], told["content"], told["target"]) == ("role", "member", user.user_id)


# The original server's accounts ----------------------------------------------------------------


ORIGINAL: dict[str, Any] = {
    "100": {"userId": 100, "userPwd": "secret", "userName": "daiyu", "userStatus": 0, "sex": "f"},
    "101": {"userId": 101, "userPwd": "123", "userName": "baoyu", "userStatus": 0, "sex": ""},
    "102": {"userId": 102, "userPwd": "secret", "userName": "", "userStatus": 0, "sex": ""},
    "103": {"userId": 103, "userPwd": "secret", "userName": "12345", "userStatus": 0, "sex": ""},
    "104": {"userId": 104, "userPwd": "secret", "userName": "bao chai", "userStatus": 0, "sex": ""},
    "105": {"userId": 105, "userPwd": "secret", "userName": "DaiYu", "userStatus": 0, "sex": ""},
    "106": {"userId": 106, "userPwd": "", "userName": "xiren", "userStatus": 0, "sex": ""},
    "108": {"userId": 108, "userPwd": "secret", "userName": "熙凤", "userStatus": 0, "sex": ""},
}
"""As the Go server writes them: its struct, encoded by encoding/json."""


@pytest.fixture
def old() -> Iterator[Valkey]:
    """The original server's Redis."""
    with running() as store:
        for user_id, user in reversed(ORIGINAL.items()):
            value = json.dumps(user, ensure_ascii=False, separators=(",", ":"))
            store.ask("HSET", "users", user_id, value)
        store.ask("HSET", "users", "107", "{broken")
        store.ask("HSET", "users", "0", json.dumps({"userId": 0, "userPwd": "x", "userName": "z"}))
        yield store


def test_accounts_of_the_original_server_are_taken_over(old: Valkey) -> None:
    with serving(*GENEROUS) as server, Party(server.port) as party:
        admin = Admin("--data", str(server.home / "data"))
        before = old.ask("HGETALL", "users"), old.ask("DBSIZE")
        *reported, counts = admin.get("import", old.url)
        assert counts == {
            "found": 10, "made": 8, "there": 0, "renamed": 4, "refused": 2, "applied": False,
        }  # fmt: skip
        *applied, counts = admin.get("import", old.url, "--apply")
        assert (counts["made"], counts["applied"]) == (8, True)
        assert applied == reported
        remarks = {each["field"]: each["remarks"] for each in applied}
        assert remarks == {
            "101": ["short-password"], "102": ["renamed"], "103": ["renamed"], "104": ["renamed"],
            "105": ["renamed"], "106": ["no-password"], "107": ["broken"], "0": ["bad-id"],
        }  # fmt: skip
        names = {each["userId"]: each["userName"] for each in admin.get("users")}
        assert names == {
            100: "daiyu", 101: "baoyu", 102: "user102", 103: "user103", 104: "user104",
            105: "user105", 106: "xiren", 108: "熙凤",
        }  # fmt: skip
        for user_id, password in ((100, "secret"), (101, "123"), (105, "secret")):
            assert party.connect_original().log_in(user_id, password)["code"] == 200, user_id
        assert party.connect().log_in(userName="熙凤", userPwd="secret", device="d")["code"] == 200
        assert party.connect_original().log_in(106, "")["code"] == 403
        assert (old.ask("HGETALL", "users"), old.ask("DBSIZE")) == before
        *_, counts = admin.get("import", old.url, "--apply")
        assert (counts["made"], counts["there"]) == (0, 8)


@pytest.fixture
def quick(server: ServerProcess, tmp_path: Path) -> Admin:
    """Somebody who imports passwords with hashes that cost little."""
    cheap = tmp_path / "cheap.toml"
    cheap.write_text('argon2 = "1,8,1"\n')
    return Admin("--data", str(server.home / "data"), "--config", str(cheap))


def test_one_account_that_nobody_can_read_does_not_keep_the_others_out(
    server: ServerProcess, quick: Admin
) -> None:
    with running() as store, Party(server.port) as party:
        store.ask("HSET", "users", "8001", "[" * 100_000)
        half = {"userId": 8002, "userPwd": "half a pair \ud83d", "userName": "h", "sex": "\ud83d"}
        store.ask("HSET", "users", "8002", json.dumps(half))
        *_, counts = quick.get("import", store.url, "--apply")
        assert (counts["made"], counts["refused"]) == (1, 1)
        assert party.connect_original().log_in(8002, "half a pair \ufffd")["code"] == 200


def test_the_sources_password_can_be_in_a_file(
    server: ServerProcess, quick: Admin, old: Valkey, tmp_path: Path
) -> None:
    old.ask("CONFIG", "SET", "requirepass", "p@ss word")
    password = tmp_path / "password"
    from_file = ("import", old.url, "--source-password-file", str(password))
    assert "No such file" in quick.refused(*from_file)
    for wrong, why in (("", "empty"), ("not this", "WRONGPASS")):
        password.write_text(wrong)
        assert why in quick.refused(*from_file)
    password.write_text("p@ss word\n")
    assert quick.get(*from_file)[-1]["found"] == 10


def test_many_accounts_are_taken_over_with_their_own_passwords(
    server: ServerProcess, quick: Admin
) -> None:
    with running() as store, Party(server.port) as party:
        for number in range(7_000, 7_150):
            user = {"userId": number, "userPwd": f"secret {number}", "userName": f"m-{number}"}
            store.ask("HSET", "users", str(number), json.dumps(user))
        assert quick.get("import", store.url)[-1]["made"] == 150
        assert quick.get("import", store.url, "--apply")[-1]["made"] == 150
        for number in (7_000, 7_063, 7_064, 7_149):
            for password, code in ((f"secret {number + 1}", 403), (f"secret {number}", 200)):
                assert party.connect_original().log_in(number, password)["code"] == code


# Backup and restore ----------------------------------------------------------------------------


def test_a_backup_of_a_running_server_is_put_back_with_a_new_epoch(tmp_path: Path) -> None:
    file = tmp_path / "backup"
    server = ServerProcess(*GENEROUS)
    admin = Admin("--data", str(server.home / "data"))
    try:
        server.start()
        with Party(server.port) as party:
            user = party.user()
            peer = party.current(user)
            kept = [peer.post("#lobby", f"kept {n}") for n in range(50)]
            with admin.program.full_disk():
                assert "too large" in admin.refused("backup", str(file))
            assert not list(tmp_path.iterdir())
            (saved,) = admin.get("backup", str(file))
            assert saved["bytes"] == file.stat().st_size
            assert file.stat().st_mode & 0o777 == 0o600
            lost = [peer.post("#lobby", f"lost {n}") for n in range(5)]
            assert "can't be written" in admin.refused("backup", str(file))
            assert "Another server" in admin.refused("restore", str(file), "--replace")
        server.stop()
        assert "already" in admin.refused("restore", str(file))
        nothing = str(tmp_path / "nothing")
        assert f"No such file or directory: {nothing}\n" in admin.refused(
            "restore", nothing, "--replace"
        )
        assert "no backup" in admin.refused("restore", str(server.home / "log"), "--replace")
        whole = file.read_bytes()
        for damaged in (whole[:-100], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]):
            (tmp_path / "damaged").write_bytes(damaged)
            refused = admin.refused("restore", str(tmp_path / "damaged"), "--replace")
            assert "is damaged" in refused
        with admin.program.full_disk():
            assert "too large" in admin.refused("restore", str(file), "--replace")
        assert not list((server.home / "data").glob("appendonlydir.*"))
        for _ in range(3):  # two of them within the same second
            assert "new epoch" in admin.do("restore", str(file), "--replace")
        server.start()
        with Party(server.port) as party:
            peer = party.current(user)
            lobby = peer.conversation("#lobby")
            assert (lobby["seq"], lobby["epochFirst"]) == (kept[-1]["seq"], lost[0]["seq"])
            assert lobby["epoch"] != kept[0]["epoch"]
            said = [each["content"] for each in peer.whole_history("#lobby")]
            assert said == [f"kept {n}" for n in range(50)]
            assert peer.post("#lobby", "going on")["seq"] == lost[0]["seq"]
        server.stop()
        assert len(list((server.home / "data").glob("appendonlydir.*"))) == 3
        check_log(server.log)
    finally:
        server.remove()


def test_a_backup_goes_to_standard_output_where_it_can_be_passed_on(
    server: ServerProcess, tmp_path: Path
) -> None:
    data = str(server.home / "data")
    words = [sys.executable, "-m", "chat.command", "admin", "backup", "-", "--data", data]

    def back_up(out: int) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            words, stdout=out, stderr=subprocess.PIPE, timeout=PATIENCE, env=ENVIRON, check=False,
            cwd=tmp_path,
        )  # fmt: skip

    with Party(server.port) as party:
        party.current().post("#lobby", "x" * 10_000)
    done = back_up(subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "passed on").write_bytes(done.stdout)
    Admin("--data", str(tmp_path / "other")).do("restore", str(tmp_path / "passed on"))
    reading, closed = os.pipe()
    os.close(reading)
    ours, terminal = os.openpty()
    full = b"The output can't be written: No space left on device"
    for out, status, said in (
        (closed, 141, b""),
        (os.open("/dev/full", os.O_WRONLY), 1, b"chatroom admin: %s\n" % full),
        (terminal, 1, b"chatroom admin: A backup is nothing for a terminal.\n"),
    ):
        done = back_up(out)
        os.close(out)
        assert (done.returncode, done.stderr) == (status, said)
    os.close(ours)
    assert {each.name for each in tmp_path.iterdir()} == {"passed on", "other"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_restores_is_the_servers_own(server: ServerProcess, tmp_path: Path) -> None:
    file, data = tmp_path / "b", tmp_path / "data"
    Admin("--data", str(server.home / "data")).do("backup", str(file))
    data.mkdir()
    os.chown(data, 12_345, 12_346)
    Admin("--data", str(data)).do("restore", str(file))
    made = list(data.rglob("*"))
    assert len(made) == 6
    assert {(each.stat().st_uid, each.stat().st_gid) for each in made} == {(12_345, 12_346)}


def test_a_backup_goes_into_an_empty_directory_too(server: ServerProcess, tmp_path: Path) -> None:
    with Party(server.port) as party:
        user = party.user()
        party.current(user).post("#lobby", "from the other machine")
        Admin("--data", str(server.home / "data")).do("backup", str(tmp_path / "b"))
    elsewhere = ServerProcess(*GENEROUS)
    try:
        admin = Admin("--data", str(elsewhere.home / "data"))
        assert "server's own" in admin.refused(
            "restore", str(tmp_path / "b"), "--store", "redis://x"
        )
        admin.do("restore", str(tmp_path / "b"))
        elsewhere.start()
        with Party(elsewhere.port) as party:
            peer: CurrentPeer = party.current(user)
            page = peer.get("HistoryMes", conversation="#lobby", limit=1)
            assert page["messages"][0]["content"] == "from the other machine"
        elsewhere.stop()
    finally:
        elsewhere.remove()
