"""Moderation, seen by everybody concerned, on two servers that share a store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chat.messages import LARGEST
from chat.store.bus import Event, payload
from chat.store.keys import Keys
from chat.store.scripts import load
from tests.party import Party
from tests.peers import CurrentPeer
from tests.server import GENEROUS, serving
from tests.valkey import Valkey, running


@dataclass(frozen=True)
class Town:
    """Two servers; ``here`` has those who moderate, ``there`` those whom it concerns."""

    here: Party
    there: Party
    store: Valkey

    def room(self, *members: CurrentPeer, owner: CurrentPeer) -> str:
        """A new room, with an owner and members."""
        return self.here.room_of(owner, *members)

    def appoint(self, peer: CurrentPeer) -> None:
        """Make somebody an administrator, whatever command does that."""
        self.store.ask("HSET", f"ch:u:{{{peer.user_id}}}", "admin", "1")

    def end_now(self, field: str, room: str, peer: CurrentPeer) -> None:
        """Let a ban (``b``) or mute (``m``) end: by the store's clock, a minute ago."""
        meta = f"ch:c:{{r:{room[1:]}}}:meta"
        kept = self.store.ask("HGET", meta, f"{field}{peer.user_id}").decode()
        now = int(self.store.ask("TIME")[0]) * 1000
        _, rest = kept.split(":", 1)
        self.store.ask("HSET", meta, f"{field}{peer.user_id}", f"{now - 60_000}:{rest}")


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int, Valkey]]:
    with (
        running() as store,
        serving(*GENEROUS, "--store", store.url) as one,
        serving(*GENEROUS, "--store", store.url) as two,
    ):
        yield one.port, two.port, store


@pytest.fixture
def town(ports: tuple[int, int, Valkey]) -> Iterator[Town]:
    with Party(ports[0]) as here, Party(ports[1]) as there:
        yield Town(here, there, ports[2])


def back(party: Party) -> None:
    """Wait until a server that lost the store lets people in again."""
    user, peer = party.user(), party.connect()
    login = {"userId": user.user_id, "userPwd": user.password, "device": "back"}
    while (reply := peer.log_in(**login))["code"] != 200:
        assert reply["code"] == 503, reply


def moderate(peer: CurrentPeer, room: str, action: str, **data: Any) -> int:
    """Ask for an action; the code."""
    return int(peer.ask("ModerateMes", conversation=room, action=action, **data)["code"])


def says(peer: CurrentPeer, to: str, content: str = "hello") -> int:
    """Post; the code."""
    return int(peer.ask("SmsMes", to=to, content=content)["code"])


def last_words(peer: CurrentPeer, content: str) -> None:
    """Let a message in the lobby be the last thing heard."""
    peer.post("#lobby", content)


def test_who_is_kicked_hears_nothing_more_at_once_on_another_server(town: Town) -> None:
    owner, user = town.here.current(), town.there.user()
    one, two = town.there.current(user), town.here.current(user)
    room = town.room(one, owner=owner)
    two.expect("ConversationMes", conversation=room)
    assert moderate(owner, room, "kick", userId=user.user_id, reason="enough") == 200
    for device in (one, two):
        entry = device.expect("SmsMes", conversation=room, kind="kick")
        assert (entry["userId"], entry["target"], entry["targetName"], entry["content"]) == (
            owner.user_id, user.user_id, user.name, "enough",
        )  # fmt: skip
        assert device.expect("ConversationMes", conversation=room, gone=True)
    owner.post(room, "behind their back")
    last_words(owner, "in front of everybody, twice")
    for device in (one, two):
        device.hears("in front of everybody, twice")
        assert not [each for each in device.pushed if each.data.get("conversation") == room]
        assert says(device, room) == 403
        assert device.ask("HistoryMes", conversation=room)["code"] == 403
    assert one.get("JoinMes", conversation=room)["role"] == "member"
    two.expect("ConversationMes", conversation=room)


def test_who_was_taken_out_while_the_bus_was_away_is_let_go_when_it_is_back(town: Town) -> None:
    owner, member = town.here.current(), town.there.current()
    room = town.room(member, owner=owner)
    # As it is when nobody heard of it: there is no publication.
    town.store.ask("HDEL", f"ch:c:{{r:{room[1:]}}}:members", member.user_id)
    owner.post(room, "still heard")
    member.hears("still heard")
    assert town.store.ask("CLIENT", "KILL", "TYPE", "pubsub")
    assert member.expect("ConversationMes", conversation=room, gone=True)
    while owner.ask("SmsMes", to=room, content="not heard", clientId="n")["code"] != 200:
        pass  # their own server may not be back yet
    last_words(owner, "in the lobby again")
    member.hears("in the lobby again")
    assert not [each for each in member.pushed if each.data.get("content") == "not heard"]


def test_who_leaves_here_and_joins_there_hears_what_they_are_in(town: Town) -> None:
    owner, user = town.here.current(), town.there.user()
    one, two = town.here.current(user), town.there.current(user)
    room = town.room(one, owner=owner)
    for turn in range(60):
        asked = [(two, two.send("LeaveMes", conversation=room))]
        asked.append((one, one.send("JoinMes", conversation=room)))
        codes = [peer.reply(each).data["code"] for peer, each in asked]
        assert codes[0] == 200
        one.get("JoinMes", conversation=room)  # So they are in it, however that went.
        assert says(two, room, f"still here {turn}") == 200
        owner.post(room, f"do you hear me {turn}?")
        for device in (one, two):
            device.hears(f"do you hear me {turn}?")


def test_who_was_suspended_while_the_bus_was_away_is_out_when_it_is_back(town: Town) -> None:
    user = town.there.current()
    town.store.ask("HSET", f"ch:u:{{{user.user_id}}}", "suspended", "0:")
    user.post("#lobby", "still here")
    assert town.store.ask("CLIENT", "KILL", "TYPE", "pubsub")
    bye = user.expect("ByeMes")
    assert (bye["code"], bye["error"]) == (403, "This account is suspended.")
    back(town.here)
    back(town.there)


def test_a_reason_that_only_later_servers_know_ends_a_session_for_the_one_that_is_known(
    town: Town,
) -> None:
    user = town.there.current()
    event = payload(Event("ended", reason="suspended", why="transmogrified"))
    town.store.ask("PUBLISH", Keys().user_channel(user.user_id).decode(), event.decode())
    assert user.expect("ByeMes")["error"] == "This account is suspended."


def test_who_was_logged_out_while_the_bus_was_away_is_out_when_it_is_back(town: Town) -> None:
    user, keys = town.there.user(), Keys()
    kept, lost = town.there.current(user, "kept"), town.there.current(user, "lost")
    # As it is when nobody heard of it: there is no publication.
    words = (1, keys.devices(user.user_id), "one", "lost", keys.token_start(), "", "")
    assert town.store.ask("EVAL", load("device_revoke").text, *words) == 1
    lost.post("#lobby", "still here")
    assert town.store.ask("CLIENT", "KILL", "TYPE", "pubsub")
    bye = lost.expect("ByeMes")
    assert (bye["code"], bye["error"]) == (403, "This device was logged out.")
    back(town.there)
    assert [each["device"] for each in kept.get("SessionsMes")["sessions"]] == ["kept"]
    assert kept.ask("RevokeMes", device="lost")["code"] == 404
    again = town.there.current(user, "lost")
    assert town.store.ask("CLIENT", "KILL", "TYPE", "pubsub")
    back(town.there)
    back(town.here)
    again.ping()


ACTIONS = {
    "mute": 1, "unmute": 1, "kick": 1, "ban": 1, "unban": 1, "invite": 1, "uninvite": 1, "slow": 1,
    "moderator": 2, "member": 2, "owner": 2, "private": 2, "public": 2,
}  # fmt: skip
"""Every action and the rank that it takes."""


def test_each_action_takes_its_rank_and_no_less(town: Town) -> None:
    by_rank = [town.here.current() for _ in range(3)]
    member, moderator, owner = by_rank
    other, guest, admin = town.there.user(), town.there.user(), town.here.current()
    room = town.room(moderator, member, town.there.current(other), owner=owner)
    assert moderate(owner, room, "moderator", userId=moderator.user_id) == 200
    town.appoint(admin)

    def code(peer: CurrentPeer, action: str) -> int:
        on_room = action in ("slow", "private", "public")
        who = {} if on_room else {"userId": (guest if "invite" in action else other).user_id}
        return moderate(peer, room, action, **who)

    for actor in [*by_rank, admin]:
        rank = by_rank.index(actor) if actor in by_rank else 3
        for action, needed in ACTIONS.items():
            if action == "owner" and rank == 2:
                continue  # below: nobody undoes it
            expected = 200 if rank >= needed else 403
            assert code(actor, action) == expected, (rank, action)
            if action in ("kick", "ban") and expected == 200:
                moderate(owner, room, "unban", userId=other.user_id)
                town.there.current(other).get("JoinMes", conversation=room)
                if action == "ban":
                    assert moderate(owner, room, "ban", userId=guest.user_id) == 200
                    assert moderate(owner, room, "unban", userId=guest.user_id) == 200
                    assert moderate(owner, room, "ban", userId=other.user_id) == 200
            if action == "unban" and expected == 200:
                town.there.current(other).get("JoinMes", conversation=room)


def test_nobody_acts_on_the_same_or_a_higher_rank(town: Town) -> None:
    ranks = [town.here.current() for _ in range(4)]
    equals = [town.there.current() for _ in range(4)]
    room = town.room(*ranks[:2], *equals[:3], owner=ranks[2])
    for peers in (ranks, equals):
        moderate(ranks[2], room, "moderator", userId=peers[1].user_id)
        town.appoint(peers[3])
    assert moderate(ranks[2], room, "owner", userId=equals[2].user_id) == 200
    ranks[3].get("JoinMes", conversation=room)
    equals[3].get("JoinMes", conversation=room)
    for rank, actor in enumerate(ranks):
        for other, target in enumerate(equals):
            expected = 200 if rank > other else 403
            assert moderate(actor, room, "mute", userId=target.user_id) == expected, (rank, other)
        assert moderate(actor, room, "kick", userId=actor.user_id) == 403, rank


def test_what_was_written_before_a_mute_stays_and_nothing_comes_after_it(town: Town) -> None:
    owner, talker = town.here.current(), town.there.current()
    room = town.room(talker, owner=owner)
    # The servers race from here on; one message at least is to come before the mute.
    first = talker.ask("SmsMes", to=room, content="first", clientId="first")["seq"]
    sent = [talker.send("SmsMes", to=room, content=f"{n}", clientId=f"f{n}") for n in range(150)]
    muting = owner.send("ModerateMes", conversation=room, action="mute", userId=talker.user_id)
    sent += [talker.send("SmsMes", to=room, content=f"{n}", clientId=f"g{n}") for n in range(150)]
    assert owner.reply(muting).data["code"] == 200
    muted = owner.expect("SmsMes", conversation=room, kind="mute")
    replies = [talker.reply(each).data for each in sent]
    accepted = [each["seq"] for each in replies if each["code"] == 200]
    assert {each["code"] for each in replies} <= {200, 403}
    assert all(seq < muted["seq"] for seq in accepted)
    late = talker.ask("SmsMes", to=room, content="and now?", clientId="late")
    assert (late["code"], late["error"]) == (403, "You may not write here at present.")
    assert talker.ask("SmsMes", to=room, content="first", clientId="first")["duplicate"]
    history = talker.whole_history(room)
    assert history[-1]["kind"] == "mute"
    assert [each["seq"] for each in history if not each.get("kind")] == [first, *accepted]


def test_a_mute_ends_by_itself_and_says_when(town: Town) -> None:
    owner, talker = town.here.current(), town.there.current()
    room = town.room(talker, owner=owner)
    assert moderate(owner, room, "mute", userId=talker.user_id, seconds=600) == 200
    assert talker.expect("SmsMes", conversation=room, kind="mute")["seconds"] == 600
    refused = talker.ask("SmsMes", to=room, content="hm")
    assert 590 < refused["retryAfter"] <= 600
    (held,) = owner.get("SanctionsMes", conversation=room)["sanctions"]
    assert (held["action"], held["userId"], held["by"]) == ("mute", talker.user_id, owner.user_id)
    assert held["until"] - held["since"] == 600_000
    town.end_now("m", room, talker)
    assert says(talker, room) == 200
    assert owner.get("SanctionsMes", conversation=room)["sanctions"] == []


def test_who_is_banned_comes_back_when_the_ban_is_over_and_not_before(town: Town) -> None:
    owner, user = town.here.current(), town.there.current()
    room = town.room(user, owner=owner)
    assert moderate(owner, room, "ban", userId=user.user_id, seconds=3600) == 200
    assert user.expect("ConversationMes", conversation=room, gone=True)
    refused = user.ask("JoinMes", conversation=room)
    assert (refused["code"], refused["error"]) == (403, "You are banned from here.")
    assert room not in [each["conversation"] for each in user.conversations()]
    assert moderate(owner, room, "invite", userId=user.user_id) == 403
    town.end_now("b", room, user)
    assert user.get("JoinMes", conversation=room)["role"] == "member"
    assert moderate(owner, room, "ban", userId=user.user_id) == 200
    assert user.ask("JoinMes", conversation=room)["code"] == 403
    assert moderate(owner, room, "unban", userId=user.user_id) == 200
    assert moderate(owner, room, "unban", userId=user.user_id) == 404
    assert user.get("JoinMes", conversation=room)["role"] == "member"


def test_in_the_lobby_an_original_client_is_told_that_it_may_not_write(town: Town) -> None:
    admin, moderator = town.here.current(), town.here.current()
    user = town.there.user()
    original = town.there.original(user)
    town.appoint(admin)
    assert moderate(moderator, "#lobby", "mute", userId=user.user_id) == 403
    assert moderate(admin, "#lobby", "moderator", userId=moderator.user_id) == 200
    for action, sentence in (("mute", "You may not write here"), ("ban", "You are banned")):
        assert moderate(moderator, "#lobby", action, userId=user.user_id) == 200
        original.say("can you hear me?")
        refused = original.hear("SmsMes", userId=0)
        assert refused["content"].startswith(f"[系统] {sentence}")
        assert moderate(moderator, "#lobby", "un" + action, userId=user.user_id) == 200
        original.say(f"after {action}")
        moderator.hears(f"after {action}")
    for action in ("kick", "private", "invite", "owner"):
        assert moderate(admin, "#lobby", action, userId=user.user_id) == 403, action
    assert moderate(admin, "#lobby", "member", userId=moderator.user_id) == 200
    assert moderate(moderator, "#lobby", "mute", userId=user.user_id) == 403


def test_who_comes_in_is_told_their_rank_in_the_lobby_as_in_any_room(town: Town) -> None:
    admin, user = town.here.current(), town.here.user()
    town.appoint(admin)
    assert moderate(admin, "#lobby", "moderator", userId=user.user_id) == 200
    room = town.room(town.here.current(user), owner=admin)
    partner = town.here.current()
    partner.post(f"@{user.user_id}", "hello")
    peer = town.there.current(user)
    roles = {each["conversation"]: each["role"] for each in peer.welcome["conversations"]}
    assert roles == {"#lobby": "moderator", room: "member", partner.at: ""}
    present = peer.get("MembersMes", conversation="#lobby")["users"]
    assert [each["userId"] for each in present if "role" in each] == [user.user_id]


def test_slow_mode_spares_moderators_and_counts_across_servers(town: Town) -> None:
    owner, user = town.here.current(), town.there.user()
    one, two = town.there.current(user), town.here.current(user)
    room = town.room(one, owner=owner)
    assert moderate(owner, room, "slow", seconds=30) == 200
    assert one.expect("SmsMes", conversation=room, kind="slow")["seconds"] == 30
    assert one.conversation(room)["slow"] == 30
    assert says(one, room) == 200
    refused = two.ask("SmsMes", to=room, content="again")
    assert refused["code"] == 403
    assert 25 < refused["retryAfter"] <= 30
    for _ in range(3):
        assert says(owner, room) == 200
    assert moderate(owner, room, "slow", seconds=0) == 200
    for _ in range(3):
        assert says(two, room) == 200


def test_who_leaves_a_room_in_slow_mode_and_comes_again_waits_all_the_same(town: Town) -> None:
    owner, one, two = town.here.current(), town.there.current(), town.there.current()
    room = town.room(one, owner=owner)
    two.get("JoinMes", conversation=room)
    assert moderate(owner, room, "slow", seconds=60) == 200
    assert says(one, room) == says(two, room) == 200
    one.get("LeaveMes", conversation=room)
    assert moderate(owner, room, "kick", userId=two.user_id) == 200
    for each in (one, two):
        each.get("JoinMes", conversation=room)
        assert 50 < each.ask("SmsMes", to=room, content="again")["retryAfter"] <= 60
    assert moderate(owner, room, "slow", seconds=0) == 200
    one.get("LeaveMes", conversation=room)
    one.get("JoinMes", conversation=room)
    assert says(one, room) == 200


def test_a_private_room_does_not_exist_for_strangers(town: Town) -> None:
    owner, stranger = town.here.current(), town.there.current()
    room = town.here.room()
    made = owner.get("JoinMes", conversation=room, private=True)
    assert (made["role"], made["private"]) == ("owner", True)
    owner.post(room, "just us")
    assert says(stranger, room) == 404
    for kind, data in {
        "HistoryMes": {}, "LeaveMes": {}, "TopicMes": {"topic": "x"}, "RedactMes": {"seq": 2},
        "MembersMes": {}, "SearchMes": {"text": "us"}, "JoinMes": {}, "SanctionsMes": {},
        "ModerateMes": {"action": "kick", "userId": owner.user_id}, "ReportMes": {"seq": 2},
        "EditMes": {"seq": 2, "content": "mine"},
    }.items():  # fmt: skip
        assert stranger.ask(kind, conversation=room, **data)["code"] == 404, kind
    for before in (1, LARGEST):
        for each in (room, town.here.room()):
            search = stranger.ask("SearchMes", conversation=each, text="us", before=before)
            assert search["code"] == 404, (each, before)
    assert room not in [each["conversation"] for each in stranger.conversations()]
    listed = stranger.get("RoomsMes", after=room[:-1], limit=100)["rooms"]
    assert room not in [each["conversation"] for each in listed]


def test_who_is_invited_to_a_private_room_reads_from_the_joining_on(town: Town) -> None:
    owner, guest = town.here.current(), town.there.current()
    room = town.here.room()
    owner.get("JoinMes", conversation=room, private=True)
    owner.post(room, "before you came")
    assert moderate(owner, room, "invite", userName=guest.welcome["user"]["userName"]) == 200
    told = guest.expect("InvitationMes")
    assert (told["conversation"], told["userId"]) == (room, owner.user_id)
    (kept,) = guest.get("InvitationsMes")["invitations"]
    assert kept == told
    joined = guest.get("JoinMes", conversation=room)
    assert joined["private"]
    assert joined["first"] == joined["seq"]
    owner.post(room, "welcome")
    guest.hears("welcome")
    assert [each.get("kind", "") for each in guest.whole_history(room)] == ["join", ""]
    found = guest.get("SearchMes", conversation=room, text="before you came")
    assert found["messages"] == []
    assert guest.get("InvitationsMes")["invitations"] == []
    assert guest.ask("RedactMes", conversation=room, seq=2)["code"] == 404
    guest.get("LeaveMes", conversation=room)
    assert guest.ask("JoinMes", conversation=room)["code"] == 404


def test_who_joins_a_private_room_while_asleep_wakes_to_nothing_from_before(town: Town) -> None:
    owner, user = town.here.current(), town.here.user()
    sleeper = town.here.current(user, receive_buffer=16_384)
    room, private = town.room(sleeper, owner=owner), town.here.room()
    owner.get("JoinMes", conversation=private, private=True)
    owner.post(private, "before you came")
    assert moderate(owner, private, "invite", userId=user.user_id) == 200
    for _ in range(12):
        for each in [owner.send("SmsMes", to=room, content="x" * 8_000) for _ in range(100)]:
            owner.reply(each)
    joined = town.here.current(user).get("JoinMes", conversation=private)
    sleeper.expect("PresenceMes", reset=True)
    # What is said before it is told of the room is part of what it is told.
    sleeper.expect("ConversationMes", conversation=private)
    owner.post(private, "welcome")
    sleeper.hears("welcome")
    assert min(sleeper.numbers(private)) > joined["seq"], "it was told what is not for it"


def test_what_was_private_stays_so_when_the_room_becomes_public(town: Town) -> None:
    owner, guest = town.here.current(), town.there.current()
    room = town.here.room()
    owner.get("JoinMes", conversation=room, private=True)
    owner.post(room, "our secret")
    assert moderate(owner, room, "public") == 200
    assert moderate(owner, room, "public") == 404
    assert guest.get("JoinMes", conversation=room)["private"] is False
    assert [each["kind"] for each in guest.whole_history(room)] == ["public", "join"]
    assert len(owner.whole_history(room)) == 4
    assert moderate(owner, room, "private") == 200
    assert town.there.current().ask("JoinMes", conversation=room)["code"] == 404
    assert says(guest, room) == 200


def test_an_invitation_that_is_taken_back_is_worth_nothing(town: Town) -> None:
    owner, guest = town.here.current(), town.there.current()
    room = town.here.room()
    owner.get("JoinMes", conversation=room, private=True)
    assert moderate(owner, room, "invite", userId=guest.user_id) == 200
    assert moderate(owner, room, "uninvite", userId=guest.user_id) == 200
    assert guest.ask("JoinMes", conversation=room)["code"] == 404
    assert guest.get("InvitationsMes")["invitations"] == []


def test_the_oldest_moderator_and_then_the_oldest_member_inherits_a_room(town: Town) -> None:
    owner, early, moderator, late = (town.here.current() for _ in range(4))
    room = town.room(early, moderator, late, owner=owner)
    assert moderate(owner, room, "moderator", userId=moderator.user_id) == 200
    owner.get("LeaveMes", conversation=room)
    told = late.expect("SmsMes", conversation=room, kind="role", target=moderator.user_id)
    told = late.expect("SmsMes", conversation=room, kind="role", content="owner")
    assert told["target"] == moderator.user_id
    assert moderator.conversation(room)["role"] == "owner"
    moderator.get("LeaveMes", conversation=room)
    assert early.conversation(room)["role"] == "owner"
    assert late.conversation(room)["role"] == "member"
    assert late.numbers(room) == list(range(late.numbers(room)[0], late.numbers(room)[-1] + 1))


def test_neither_of_two_writes_to_the_other_after_a_block_until_it_is_lifted(town: Town) -> None:
    one, two = town.here.current(), town.there.current()
    one.post(two.at, "hello")
    one.get("BlockMes", userId=two.user_id)
    refused = two.ask("SmsMes", to=one.at, content="hello yourself")
    assert (refused["code"], refused["error"]) == (403, "They do not take messages from you.")
    assert "unblock" in one.ask("SmsMes", to=two.at, content="and?")["error"]
    (blocked,) = one.get("BlocksMes")["users"]
    assert blocked["userId"] == two.user_id
    room = town.room(one, owner=two)
    assert moderate(two, room, "kick", userId=one.user_id) == 200
    assert moderate(two, room, "invite", userId=one.user_id) == 403
    two.get("BlockMes", userId=one.user_id)
    one.get("BlockMes", userId=two.user_id, block=False)
    assert one.get("BlocksMes")["users"] == []
    assert says(one, two.at) == 403
    two.get("BlockMes", userId=one.user_id, block=False)
    assert says(one, two.at) == says(two, one.at) == 200
    assert one.ask("BlockMes", userId=one.user_id)["code"] == 403


def test_a_block_and_its_end_are_told_to_all_devices_of_who_blocks_and_to_nobody_else(
    town: Town,
) -> None:
    user = town.here.user()
    desk, phone, two = town.here.current(user), town.there.current(user), town.there.current()
    for block in (True, False):
        desk.get("BlockMes", userId=two.user_id, block=block)
        for each in (desk, phone):
            told = each.expect("BlockedMes", userId=two.user_id, block=block)
            assert told["userName"] == two.welcome["user"]["userName"]
    last_words(desk, "that was all")
    two.hears("that was all")
    assert "BlockedMes" not in [each.type for each in two.pushed]


def test_who_is_blocked_before_the_first_word_cannot_write_it(town: Town) -> None:
    one, original = town.here.current(), town.there.user()
    stranger = town.there.current()
    one.get("BlockMes", userId=stranger.user_id)
    assert says(stranger, one.at) == 403
    assert one.ask("BlockMes", userId=original.user_id)["code"] == 200
    assert stranger.at not in [each["conversation"] for each in one.conversations()]
    last_words(stranger, "nobody heard that")
    one.hears("nobody heard that")
    assert not [each for each in one.pushed if each.data.get("userId") == 0]


def test_a_message_is_deleted_by_those_of_a_higher_rank_and_its_number_stays(town: Town) -> None:
    owner, moderator, member = town.here.current(), town.here.current(), town.there.current()
    room = town.room(moderator, member, owner=owner)
    moderate(owner, room, "moderator", userId=moderator.user_id)
    by_owner, by_member = owner.post(room, "mine"), member.post(room, "rude")
    assert moderator.ask("RedactMes", conversation=room, seq=by_owner["seq"])["code"] == 403
    assert moderator.ask("RedactMes", conversation=room, seq=by_member["seq"])["code"] == 200
    assert member.expect("SmsMes", kind="redact", conversation=room)["target"] == by_member["seq"]
    history = member.whole_history(room)
    assert {"seq": by_member["seq"], "deleted": True} in history
    assert [each["seq"] for each in history] == list(range(1, len(history) + 1))
    admin = town.there.current()
    lobby = owner.post("#lobby", "in the lobby")
    assert admin.ask("RedactMes", conversation="#lobby", seq=lobby["seq"])["code"] == 403
    town.appoint(admin)
    assert admin.ask("RedactMes", conversation="#lobby", seq=lobby["seq"])["code"] == 200
    # In every room, as all that administrators do: somebody may have reported it to them.
    assert admin.ask("RedactMes", conversation=room, seq=by_owner["seq"])["code"] == 200
    member.expect("SmsMes", kind="redact", conversation=room, target=by_owner["seq"])


def test_every_action_is_in_the_audit_stream(town: Town) -> None:
    owner, member = town.here.current(), town.there.current()
    room = town.room(member, owner=owner)
    said = member.post(room, "rude")
    town.store.ask("DEL", "ch:audit:rooms")
    assert moderate(owner, room, "mute", userId=member.user_id, seconds=60, reason="rude") == 200
    assert moderate(member, room, "mute", userId=owner.user_id) == 403
    owner.get("RedactMes", conversation=room, seq=said["seq"])
    assert moderate(owner, room, "slow", seconds=5) == 200
    kept = [entry[1] for entry in town.store.ask("XRANGE", "ch:audit:rooms", "-", "+")]
    found = [dict(zip(each[::2], each[1::2], strict=True)) for each in kept]
    assert [each[b"action"] for each in found] == [b"mute", b"redact", b"slow"]
    assert found[0] == {
        b"by": b"%d" % owner.user_id, b"name": owner.welcome["user"]["userName"].encode(),
        b"action": b"mute", b"conversation": b"r:" + room[1:].encode(), b"seconds": b"60",
        b"target": b"%d" % member.user_id, b"reason": b"rude",
    }  # fmt: skip
    # No owner of a room can push out what administrators did.
    admins = town.store.ask("XLEN", "ch:audit")
    town.appoint(member)
    assert moderate(member, room, "mute", userId=owner.user_id) == 200
    assert town.store.ask("XLEN", "ch:audit") == admins + 1


def test_a_report_keeps_the_message_for_the_administrators(town: Town) -> None:
    one, two = town.here.current(), town.there.current()
    said = two.post(one.at, "something awful")
    one.hears("something awful")
    town.store.ask("DEL", "ch:reports")
    one.get("ReportMes", conversation=two.at, seq=said["seq"], reason="awful")
    for nothing in (said["seq"] + 1, 0, -1):
        assert one.ask("ReportMes", conversation=two.at, seq=nothing)["code"] == 404
    lines = one.ask("ReportMes", conversation=two.at, seq=said["seq"], reason="two\nlines")
    assert (lines["code"], "reason" in lines["error"]) == (400, True)
    two.get("RedactMes", conversation=one.at, seq=said["seq"])
    ((_, kept),) = town.store.ask("XRANGE", "ch:reports", "-", "+")
    found = dict(zip(kept[::2], kept[1::2], strict=True))
    assert b"something awful" in found[b"entry"]
    assert found[b"sender"] == b"%d" % two.user_id
    codes = [
        one.ask("ReportMes", conversation="#lobby", seq=one.post("#lobby", "x")["seq"])["code"]
        for _ in range(10)
    ]
    assert codes == [200] * 9 + [429]


def test_malformed_actions_name_the_member(town: Town) -> None:
    owner, member = town.here.current(), town.here.current()
    room = town.room(member, owner=owner)
    for data, about in (
        ({"action": "praise"}, "action"),
        ({"action": "mute", "seconds": -1}, "seconds"),
        ({"action": "mute", "seconds": 10 * 365 * 86_400 + 1}, "seconds"),
        ({"action": "slow", "seconds": 86_401}, "seconds"),
        ({"action": "kick", "seconds": 1}, "seconds"),
        ({"action": "kick", "reason": "x" * 1_001}, "reason"),
        ({"action": "kick", "reason": "a\nb"}, "reason"),
    ):
        refused = owner.ask("ModerateMes", conversation=room, userId=member.user_id, **data)
        assert refused["code"] == 400, data
        assert about in refused["error"]
    assert moderate(owner, room, "slow", seconds=86_400) == 200
    assert moderate(owner, room, "mute", userId=member.user_id, seconds=10 * 365 * 86_400) == 200
    assert moderate(owner, room, "kick", userId=member.user_id, reason="x" * 1_000) == 200
    assert moderate(owner, room, "kick", userId=member.user_id) == 404
    assert moderate(owner, room, "kick", userName="nobody-at-all") == 404
    assert moderate(owner, member.at, "mute", userId=member.user_id) == 403
