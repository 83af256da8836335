"""Two chats in one store, told apart by what their keys start with, or by their databases."""

from tests.party import Party
from tests.server import GENEROUS, serving
from tests.valkey import running

LOBBY = "#lobby"


def test_chats_with_other_prefixes_know_nothing_of_each_other() -> None:
    with (
        running() as store,
        serving(*GENEROUS, "--store", store.url, "--prefix", "one:") as first,
        serving(*GENEROUS, "--store", store.url, "--prefix", "two:") as second,
        Party(first.port) as here,
        Party(second.port) as there,
    ):
        alice, bob, stranger = here.current(), here.current(), there.current()
        room = here.room_of(alice, bob)
        alice.post(room, "in a room")
        alice.post(bob.at, "in private")
        alice.post(LOBBY, "in the lobby")
        bob.hears("in the lobby")
        alice.get("StatusMes", status=2)
        rooms = stranger.get("RoomsMes")["rooms"]
        assert room not in [each["conversation"] for each in rooms]
        stranger.post(LOBBY, "elsewhere")
        assert [each["content"] for each in stranger.whole_history(LOBBY)] == ["elsewhere"]
        assert [user["userId"] for user in stranger.get("OnlineMes")["users"]] == [stranger.user_id]
        keys = store.ask("KEYS", "*")
        assert {key[:4] for key in keys} == {b"one:", b"two:"}
        assert {channel[:4] for channel in store.ask("PUBSUB", "CHANNELS")} == {b"one:", b"two:"}


def test_nor_do_chats_in_other_databases() -> None:
    """Channels are the store's, and not a database's."""
    with (
        running() as store,
        serving(*GENEROUS, "--store", store.url) as first,
        serving(*GENEROUS, "--store", f"{store.url}?db=1") as second,
        Party(first.port) as here,
        Party(second.port) as there,
    ):
        alice, user = here.current(), here.user()
        bob, stranger = here.current(user), there.current()
        there.connect().register(userId=user.user_id, userName=user.name, userPwd=user.password)
        namesake = there.current(user)
        room = here.room_of(alice, bob)
        stranger.get("JoinMes", conversation=room)
        for to in (LOBBY, room, bob.at):
            alice.post(to, "here")
            bob.hears("here")
        for each in (stranger, namesake):
            each.get("StatusMes", status=2)
            each.post(LOBBY, f"there, {each.user_id}")
        stranger.hears(f"there, {namesake.user_id}")
        assert [
            each.data
            for peer in (stranger, namesake)
            for each in peer.pushed
            if each.data.get("content") == "here"
        ] == []
        assert namesake.numbers(LOBBY) == [1, 2]
