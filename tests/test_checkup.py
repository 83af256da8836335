"""Settings of a store that others run, judged on a real one."""

import re
from pathlib import Path

from twisted.trial.unittest import TestCase

import chat.store.scripts
from chat.store.checkup import complaints, try_commands
from chat.store.errors import CannotStart
from chat.store.keys import Keys
from chat.store.link.connection import RedisReplyError
from tests.connections import connected_to
from tests.valkey import start_for

SCRIPTS = Path(chat.store.scripts.__file__).with_name("scripts")


class CheckupTest(TestCase):
    """What is said about which setting."""

    async def complaints(self, *settings: str, user: str = "", durability: str = "everysec") -> str:
        """All complaints about a sound store with some settings changed."""
        sound = ("--appendonly", "yes", "--appendfsync", "everysec")
        valkey = start_for(self, *sound, *settings)
        valkey.ask("ACL", "SETUSER", "guest", "on", ">secret", "+@all", "-config", "-info")
        url = valkey.url.replace("://", f"://{user}:secret@") if user else valkey.url
        redis = await connected_to(self, url)
        return "\n".join(await complaints(redis, durability))

    async def test_a_sound_store_has_none(self) -> None:
        self.assertEqual(await self.complaints(), "")

    async def test_a_store_that_evicts_is_named(self) -> None:
        text = await self.complaints("--maxmemory-policy", "allkeys-lru")
        self.assertIn("allkeys-lru", text)

    async def test_a_store_that_will_evict_is_not_used(self) -> None:
        settings = ("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru")
        with self.assertRaisesRegex(CannotStart, "volatile-lru"):
            await self.complaints(*settings)
        self.assertEqual(await self.complaints("--maxmemory", "100mb"), "")

    async def test_a_cluster_is_not_used(self) -> None:
        with self.assertRaisesRegex(CannotStart, "cluster"):
            await self.complaints("--cluster-enabled", "yes")

    async def test_a_store_that_does_not_keep_what_clients_are_told_is_not_used(self) -> None:
        always = ("--appendfsync", "always")
        with self.assertRaisesRegex(CannotStart, "appendfsync"):
            await self.complaints(durability="always")
        self.assertEqual(await self.complaints(*always, durability="always"), "")
        with self.assertRaisesRegex(CannotStart, "min-replicas-to-write"):
            await self.complaints(durability="replicated")
        replicated = ("--min-replicas-to-write", "1")
        self.assertEqual(await self.complaints(*replicated, durability="replicated"), "")

    async def test_a_store_that_is_too_old_is_not_used(self) -> None:
        redis = await connected_to(self, start_for(self).url)
        told = {}

        async def info(*sections: str) -> dict[str, str]:
            return told

        self.patch(redis, "info", info)
        for version in ("6.2.0", "7.2.4", "10.0.1", "unstable", ""):
            told["redis_version"] = version
            await complaints(redis)
        for version in ("6.0.16", "5.0.7"):
            told["redis_version"] = version
            with self.assertRaisesRegex(CannotStart, f"Redis {version}: 6.2"):
                await complaints(redis)

    async def test_a_store_that_leaves_the_disk_to_chance_is_named(self) -> None:
        self.assertIn("appendfsync", await self.complaints("--appendfsync", "no"))

    async def test_a_store_that_only_remembers_is_named(self) -> None:
        self.assertIn("appendonly", await self.complaints("--appendonly", "no"))

    async def test_a_narrow_limit_for_subscribers_is_named(self) -> None:
        for limit, narrow in {
            "pubsub 32mb 8mb 60": True,
            "pubsub 256mb 8mb 60": True,
            "pubsub 256mb 64mb 10": True,
            "pubsub 0 0 0": False,
            "pubsub 512mb 0 0": False,
        }.items():
            text = await self.complaints("--client-output-buffer-limit", limit)
            self.assertEqual("client-output-buffer-limit" in text, narrow, limit)

    async def test_a_store_that_hides_its_settings_is_used_all_the_same(self) -> None:
        self.assertIn("could not be checked", await self.complaints(user="guest"))

    async def test_commands_that_are_not_permitted_or_renamed_are_named(self) -> None:
        for command in ("PUBLISH", "XADD", "EVALSHA", "DEL"):
            with self.assertRaisesRegex(RedisReplyError, f"(?i){command}"):
                await self.tried("--rename-command", command, "")
            with self.assertRaisesRegex(RedisReplyError, f"(?i){command}"):
                await self.tried(allowed=f"-{command}")

    async def test_trying_commands_leaves_nothing(self) -> None:
        self.assertEqual(await self.tried(), [])

    async def tried(self, *settings: str, allowed: str = "+@all") -> list[bytes]:
        """The keys of a store after all commands were tried by somebody."""
        valkey = start_for(self, *settings)
        valkey.ask("ACL", "SETUSER", "guest", "on", ">pw", "~ch:*", "&ch:*", "+@all", allowed)
        redis = await connected_to(self, valkey.url.replace("://", "://guest:pw@"))
        await try_commands(redis, Keys("ch:"))
        keys: list[bytes] = valkey.ask("KEYS", "*")
        return keys

    def test_every_command_of_every_script_is_tried(self) -> None:
        texts = {path.stem: path.read_text() for path in SCRIPTS.glob("*.lua")}
        used = {word for text in texts.values() for word in re.findall(r"call\('(\w+)'", text)}
        tried = set(re.findall(r"{'([A-Z]+)'", texts["permitted"]))
        self.assertGreater(len(used), 30)
        self.assertEqual(used - tried, set())
