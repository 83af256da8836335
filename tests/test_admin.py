"""``chatroom admin`` on live servers: what it shows, and what people notice of what it does."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chat.admin.cli import build_parser
from chat.admin.words import Words
from chat.client.text import width
from tests.admin_program import ENVIRON, Admin, log_in, one
from tests.party import Party
from tests.patience import PATIENCE
from tests.process import ServerProcess
from tests.server import GENEROUS, serving
from tests.valkey import running

pytestmark = pytest.mark.usefixtures("loaded")


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
