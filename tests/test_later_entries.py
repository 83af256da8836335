"""What a later version says on the same store: with members in it that this one does not know."""

from twisted.trial.unittest import TestCase

from chat.store.conversations import LOBBY_CID
from chat.store.entries import Author
from tests.peers import CurrentPeer, OriginalPeer
from tests.process import ServerProcess
from tests.server import GENEROUS, check_log
from tests.store_builders import Store
from tests.valkey import start_for


class Later(Author):
    """Somebody on a server of a later version."""

    __slots__ = ()

    def says(self, content: str, reply: int = 0) -> bytes:
        return super().says(content, reply) + b',"mood":{"is":"good"}'


class LaterEntriesTest(TestCase):
    """A server beside a later one, as while servers are replaced one by one."""

    async def test_they_are_heard_listed_found_and_keep_what_is_not_understood(self) -> None:
        valkey = start_for(self, "--appendonly", "yes")
        store = await Store.start(self, valkey)
        await store.bus.hold_rooms([LOBBY_CID])
        server = ServerProcess.start_for(self, "--store", valkey.url, *GENEROUS)
        ann, bob, old = (
            CurrentPeer(server.port),
            CurrentPeer(server.port),
            OriginalPeer(server.port),
        )
        for peer in (ann, bob, old):
            self.addCleanup(peer.close)
        for peer, name in ((ann, "ann"), (bob, "bob")):
            peer.register(userName=name, userPwd="secret-pw")
            peer.log_in(userName=name, userPwd="secret-pw", device="here")
        old.register(7, "old")
        old.log_in(7)
        # One device of the sender's is here, the other on the later server.
        store.say(LOBBY_CID, "hello there", "id-1", author=Later(ann.user_id, "ann"))
        await store.heard.until(lambda: bool(store.heard.headers(LOBBY_CID)))

        self.assertEqual(old.hear("SmsMes")["content"], "hello there")
        known = {"content": "hello there", "userName": "ann", "mood": {"is": "good"}}
        for peer in (ann, bob):
            page = peer.get("HistoryMes", conversation="#lobby")["messages"]
            found = peer.get("SearchMes", text="hello")["messages"]
            for entry in (peer.expect("SmsMes"), page[-1], found[0]):
                self.assertEqual({name: entry.get(name) for name in known}, known)
            (listed,) = peer.get("ConversationsMes")["conversations"]
            self.assertEqual(listed["last"]["content"], "hello there")
        check_log(server.log)
        self.assertNotIn("can't be read", server.log)
