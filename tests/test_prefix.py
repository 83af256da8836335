"""Two chats in one store, told apart by what their keys start with."""

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
