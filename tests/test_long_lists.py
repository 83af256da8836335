"""Lists of moderation that are longer than a frame: each is paged, and has everything once."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from chat import messages as m
from chat.server.requests.moderating import BLOCKS_PAGE
from chat.store.keys import Keys
from tests.api_case import ApiCase
from tests.fake_server import FakeConnection
from tests.party import Party
from tests.peers import CurrentPeer
from tests.server import GENEROUS, serving
from tests.valkey import Valkey, running

MANY = range(1_000_001, 1_001_001)
SHIFTS = 7
KEYS = Keys()


@pytest.fixture(scope="module")
def hall() -> Iterator[tuple[Party, Valkey]]:
    with (
        running() as store,
        serving(*GENEROUS, "--store", store.url) as server,
        Party(server.port) as party,
    ):
        yield party, store


def pages(peer: CurrentPeer, kind: str, members: str, **data: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list; what comes next is asked for by the last one's id, or its room."""
    found = []
    while True:
        page = peer.get(kind, **data)
        assert page[members]
        found.append(page[members])
        if not page["more"]:
            assert len(found) > 1
            return found
        last = page[members][-1]
        data["after"] = last.get("conversation") or last["userId"]


def test_nobody_who_is_banned_or_muted_is_left_out(hall: tuple[Party, Valkey]) -> None:
    party, store = hall
    owner = party.current()
    room = party.room_of(owner)
    fields = [
        # Of different lengths, so that a page ends between two things said of one user as well.
        word
        for each in MANY
        for kind in "bm"
        for word in (f"{kind}{each}", f"0:1:7:{'x' * (each % SHIFTS)}")
    ]
    store.ask("HSET", KEYS.meta("r:" + room[1:]), *fields)
    found = pages(owner, "SanctionsMes", "sanctions", conversation=room)
    assert [(each["userId"], each["action"]) for page in found for each in page] == [
        (user_id, action) for user_id in MANY for action in ("ban", "mute")
    ]
    assert all(one[-1]["userId"] < next_one[0]["userId"] for one, next_one in pairwise(found))


def test_nobody_whom_one_blocked_is_left_out(hall: tuple[Party, Valkey]) -> None:
    party, store = hall
    peer = party.current()
    many = [*MANY, *range(2_000_001, 2_001_001)]
    store.ask("HSET", KEYS.blocks(peer.user_id), *(word for each in many for word in (each, 1)))
    found = pages(peer, "BlocksMes", "users")
    assert [each["userId"] for page in found for each in page] == many
    assert max(map(len, found)) == BLOCKS_PAGE


def test_no_invitation_is_left_out(hall: tuple[Party, Valkey]) -> None:
    party, store = hall
    peer = party.current()
    rooms = [f"#room-{each}" for each in MANY]
    said = [word for each in rooms for word in (f"r:{each[1:]}", "7:somebody")]
    store.ask("HSET", KEYS.invited(peer.user_id), *said)
    found = pages(peer, "InvitationsMes", "invitations")
    assert [each["conversation"] for page in found for each in page] == rooms


class LibraryTest(ApiCase):
    def test_it_pages_to_the_end(self) -> None:
        def sanctions(connection: FakeConnection, request: m.SanctionsMes) -> m.Message:
            held = m.Sanction("mute" if request.after else "ban", request.after + 1)
            return m.SanctionsResMes(sanctions=(held,), more=request.after < 2)

        def blocks(connection: FakeConnection, request: m.BlocksMes) -> m.Message:
            user = m.User(request.after + 1, "somebody")
            return m.BlocksResMes(users=(user,), more=request.after < 2)

        def invitations(connection: FakeConnection, request: m.InvitationsMes) -> m.Message:
            invitation = m.Invitation(request.after + "x" if request.after else "#x")
            return m.InvitationsResMes(invitations=(invitation,), more=len(request.after) < 3)

        handlers = {
            m.SanctionsMes: sanctions, m.BlocksMes: blocks, m.InvitationsMes: invitations,
        }  # fmt: skip
        self.server.handlers.update(handlers)  # type: ignore[arg-type]
        self.log_in()
        held = self.done(self.client.sanctions("#lobby"))
        self.assertEqual([(each.action, each.user_id) for each in held],
                         [("ban", 1), ("mute", 2), ("mute", 3)])  # fmt: skip
        self.assertEqual([each.user_id for each in self.done(self.client.blocks())], [1, 2, 3])
        rooms = [each.conversation for each in self.done(self.client.invitations())]
        self.assertEqual(rooms, ["#x", "#xx", "#xxx"])
