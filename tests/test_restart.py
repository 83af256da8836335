"""kill -9 of the server, of its store, of both: the same command again, and nothing is lost."""

import itertools
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.party import Party, User, meet
from tests.patience import PATIENCE
from tests.peers import Closed, CurrentPeer
from tests.process import ServerProcess
from tests.server import GENEROUS, check_log


@contextmanager
def mortal(*options: str) -> Iterator[ServerProcess]:
    """A server that the test kills as it likes; what it logs is judged at the end."""
    server = ServerProcess(*GENEROUS, *options)
    try:
        server.start()
        yield server
        check_log(server.log)
    finally:
        server.remove()


def writers(server: ServerProcess) -> set[int]:
    """The processes that write to the store's append-only file (a server only opens it to sync)."""
    kept = str(server.home / "data" / "appendonlydir")
    found = set()
    for each in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(each).startswith(kept) and each.lstat().st_mode & stat.S_IWUSR:
                found.add(int(each.parts[2]))
    return found


def kill_store(server: ServerProcess) -> None:
    """kill -9 the one store there is."""
    (store,) = writers(server)
    os.kill(store, signal.SIGKILL)


@dataclass
class Speaker:
    """Says one thing after the other, and the same again until it is accepted.

    :ivar accepted: clientId -> number, of what SmsResMes said 200 to.
    """

    user: User
    to: str
    accepted: dict[str, int] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def say(self, peer: CurrentPeer, more: int) -> None:
        """Repeat what is unsure and say ``more``, without waiting for answers."""
        self.unsure += [f"{self.user.name}/{next(self._count)}" for _ in range(more)]
        for client_id in self.unsure:
            peer.send("SmsMes", to=self.to, content=f"says {client_id}", clientId=client_id)

    def note(self, reply: dict[str, Any]) -> None:
        """Take an SmsResMes."""
        client_id, seq = reply["clientId"], reply["seq"]
        if reply["code"] == 200:
            assert self.accepted.setdefault(client_id, seq) == seq, "two numbers for one message"
            if client_id in self.unsure:
                self.unsure.remove(client_id)
        else:
            assert reply["code"] in (503, 504), reply

    def listen(self, peer: CurrentPeer, enough: int = 10**9) -> None:
        """Take answers until all or ``enough`` more came, or the connection is gone."""
        with suppress(Closed, ConnectionError):
            while self.unsure and enough > 0:
                frame = peer.read()
                if frame.type == "SmsResMes":
                    self.note(frame.data)
                    enough -= 1


def judge(party: Party, reader: CurrentPeer, room: str, speakers: list[Speaker]) -> None:
    """All that was accepted is there once, under its number, and numbers have no hole."""
    entries = reader.whole_history(room, limit=200)
    assert [each["seq"] for each in entries] == list(range(1, len(entries) + 1))
    said = {each["content"]: each["seq"] for each in entries if each.get("content")}
    assert len(said) == len([each for each in entries if each.get("content")]), "said twice"
    promised = {f"says {client_id}": seq for each in speakers
                for client_id, seq in each.accepted.items()}  # fmt: skip
    assert promised.items() <= said.items()
    assert not [each for each in speakers if each.unsure]


@pytest.mark.parametrize("durability", ["everysec", "always"])
def test_what_was_accepted_before_kill_9_is_there_once_and_only_once(durability: str) -> None:
    with mortal("--durability", durability) as server:
        with Party(server.port) as party:
            peers = [party.current() for _ in range(3)]
            room = party.room_of(*peers)
            users = [party.user() for _ in range(3)]
            for each in users:
                party.current(each).get("JoinMes", conversation=room)
            epoch = peers[0].conversation(room)["epoch"]
        speakers = [Speaker(each, room) for each in users]
        for kill in (True, True, True, False):
            with Party(server.port) as party:
                peers = [party.current(each) for each in users]
                for speaker, peer in zip(speakers, peers, strict=True):
                    speaker.say(peer, 60 if kill else 0)
                speakers[0].listen(peers[0], 20)
                if kill:
                    server.kill()
                for speaker, peer in zip(speakers, peers, strict=True):
                    speaker.listen(peer)
                if not kill:
                    judge(party, peers[0], room, speakers)
                    assert peers[0].conversation(room)["epoch"] == epoch
                    assert {each["conversation"] for each in peers[0].conversations()} == {
                        "#lobby", room,
                    }  # fmt: skip
            if kill:
                server.start()
                assert len(writers(server)) == 1
        assert sum(len(each.accepted) for each in speakers) == 3 * 3 * 60


def test_a_killed_store_comes_back_under_the_feet_of_everybody() -> None:
    with mortal() as server, Party(server.port) as party:
        users = [party.user() for _ in range(3)]
        peers = [party.current(each) for each in users]
        listener = party.current()
        room = party.room_of(*peers, listener)
        epoch = listener.conversation(room)["epoch"]
        joined = listener.conversation(room)["seq"]
        speakers = [Speaker(each, room) for each in users]
        for _ in range(2):
            for speaker, peer in zip(speakers, peers, strict=True):
                speaker.say(peer, 40)
            speakers[0].listen(peers[0], 10)
            kill_store(server)
            for speaker, peer in zip(speakers, peers, strict=True):
                speaker.say(peer, 5)
            for speaker, peer in zip(speakers, peers, strict=True):
                repeat_until_accepted(speaker, peer)
            assert len(writers(server)) == 1
        judge(party, listener, room, speakers)
        assert listener.conversation(room)["epoch"] == epoch
        last = peers[0].post(room, "the last word")["seq"]
        listener.hears("the last word")
        assert listener.numbers(room) == list(range(joined + 1, last + 1))
        for peer in peers:
            peer.ping()
            told = peer.numbers(room)
            assert told == sorted(told), "numbers went down"


def repeat_until_accepted(speaker: Speaker, peer: CurrentPeer) -> None:
    """Do as the protocol says after 503 and 504: the same again, after a while."""
    give_up = time.monotonic() + PATIENCE
    waiting = set(speaker.unsure)
    while speaker.unsure:
        assert time.monotonic() < give_up, speaker.unsure
        if not waiting:
            time.sleep(0.05)  # less than retryAfter says, to find out more
            speaker.say(peer, 0)
            waiting = set(speaker.unsure)
        frame = peer.read()
        if frame.type == "SmsResMes":
            speaker.note(frame.data)
            waiting.discard(frame.data["clientId"])


def test_while_the_store_is_away_senders_are_told_at_once_and_connections_stay() -> None:
    with mortal("--store-deadline", "1") as server, Party(server.port) as party:
        peer, other, original = party.current(), party.current(), party.original()
        peer.post("#lobby", "before the store went away")
        (store,) = writers(server)
        os.kill(store, signal.SIGSTOP)
        try:
            reply = peer.ask("SmsMes", to="#lobby", content="into the void", clientId="void-1")
            assert reply["code"] in (503, 504)
            assert reply["retryAfter"] > 0
            reply = peer.ask("SmsMes", to="#lobby", content="void again", clientId="void-2")
            assert reply["code"] in (503, 504)
            assert peer.ask("OnlineMes")["code"] in (503, 504)
            peer.ping()
        finally:
            os.kill(store, signal.SIGCONT)
        give_up = time.monotonic() + PATIENCE
        again: dict[str, Any] = {"code": 0}
        while again["code"] != 200:
            assert time.monotonic() < give_up
            again = peer.ask("SmsMes", to="#lobby", content="into the void", clientId="void-1")
        assert other.hears("into the void")["seq"] == again["seq"]
        meet(original, by=other)
        assert original.contents().count("into the void") == 1


def test_logins_rooms_marks_redactions_and_edits_outlive_kill_9() -> None:
    with mortal() as server:
        with Party(server.port) as party:
            user, friend = party.user(), party.user()
            peer, other = party.current(user, "desk"), party.current(friend)
            room = party.room_of(peer, other)
            peer.get("TopicMes", conversation=room, topic="what remains")
            said = [other.post(f"@{user.user_id}", f"remember this {n}") for n in range(4)]
            other.get("RedactMes", conversation=f"@{user.user_id}", seq=2)
            edit = {"seq": 3, "content": "remember that 2"}
            other.get("EditMes", conversation=f"@{user.user_id}", **edit)
            peer.send("AckMes", conversation=other.at, epoch=said[0]["epoch"], read=3)
            other.expect("ReceiptMes", read=3)
            token = peer.welcome["token"]
        server.kill()
        server.start()
        with Party(server.port) as party:
            peer = party.connect()
            assert peer.log_in(token=token, device="desk")["user"]["userId"] == user.user_id
            assert peer.conversation(room)["topic"] == "what remains"
            at = f"@{friend.user_id}"
            assert peer.conversation(at)["read"] == 3
            entries = peer.whole_history(at)
            assert [each.get("content") for each in entries[:4]] == [
                "remember this 0", None, "remember that 2", "remember this 3",
            ]  # fmt: skip
            assert peer.get("OnlineMes")["total"] == 1, "who was online before is not"


def test_what_an_original_client_missed_outlives_kill_9() -> None:
    with mortal() as server:
        with Party(server.port) as party:
            user, sender = party.user(), party.current()
            party.original(user).close()
            sender.post(f"@{user.user_id}", "before the crash")
        server.kill()
        server.start()
        with Party(server.port) as party:
            heard = party.original(user).hear("SmsMes", userId=sender.user_id)
            assert heard["content"] == "[私聊] before the crash"


def test_there_are_never_two_stores_on_one_directory() -> None:
    with mortal() as server:
        server.kill()
        server.start()
        assert len(writers(server)) == 1
        kill_store(server)
        server.kill()
        server.start()
        assert len(writers(server)) == 1
        server.stop()
        assert writers(server) == set()
