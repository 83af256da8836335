"""``chatroom admin``: export, deletion, import, backup and restoration."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.admin_program import ENVIRON, Admin, log_in, one
from tests.party import Party
from tests.patience import PATIENCE
from tests.peers import CurrentPeer
from tests.process import ServerProcess
from tests.server import GENEROUS, check_log, serving
from tests.valkey import Valkey, running

pytestmark = pytest.mark.usefixtures("loaded")


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
def test_backups_that_are_made_at_the_same_time_are_all_made(
    server: ServerProcess, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "chat.command", "admin", "backup"]
    data = ("--data", str(server.home / "data"))
    at_once = [
        subprocess.Popen([*command, tmp_path / f"{number}", *data], env=ENVIRON)
        for number in range(8)
    ]
    assert [each.wait(PATIENCE) for each in at_once] == [0] * 8
    assert len({path.read_bytes()[:6] for path in tmp_path.iterdir()}) == 1


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
