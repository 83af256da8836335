"""Frames, envelopes, members in any case, and what an original client can read, for any input."""

import contextlib
import json
import struct
from collections.abc import Callable
from itertools import pairwise
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chat import codec, messages
from chat.codec import BadMessage, Envelope, FrameReader, FrameTooLarge
from chat.messages import (
    ANSWERS,
    LARGEST,
    ORIGINAL_REQUESTS,
    REQUESTS,
    EntryNumber,
    HistoryMes,
    Message,
    Number,
)

EVERY_MESSAGE = sorted(
    {*REQUESTS.values(), *ANSWERS.values(), *ORIGINAL_REQUESTS.values()}, key=lambda m: m.__name__
)
WHOLE_NUMBERS = st.integers(-LARGEST, LARGEST)
ENTRY_NUMBERS = st.integers(0, LARGEST)
"""0 is what is not written."""


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Anything that a member annotated with ``hint`` may be."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return messages_of(hint)
    if hint == EntryNumber:
        return ENTRY_NUMBERS
    simple = {
        int: WHOLE_NUMBERS,
        Number: WHOLE_NUMBERS,
        str: st.text(max_size=8),
        bool: st.booleans(),
        float: st.floats(0, 1e9),
        type(None): st.none(),
    }
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) or get_origin(hint) in (Union, UnionType):
        return st.one_of([values_of(each) for each in get_args(hint)])
    return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)


def messages_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any value of one kind of message."""
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: values_of(hints[name]) for name in kind.__struct_fields__})


ANY_MESSAGE = st.sampled_from(EVERY_MESSAGE).flatmap(messages_of)


def body(frame: bytes) -> bytes:
    """The envelope in the one frame that ``frame`` is."""
    (found,) = FrameReader().feed(frame)
    return found


def known(message: Message) -> dict[str, type[Message]]:
    return {messages.type_name(type(message)): type(message)}


def renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """The same JSON with every member's name changed by ``rename``."""
    if isinstance(value, dict):
        return {rename(name): renamed(inner, rename) for name, inner in value.items()}
    if isinstance(value, list):
        return [renamed(each, rename) for each in value]
    return value


def enveloped(kind: str, data: Any, **more: Any) -> bytes:
    return json.dumps({"type": kind, "data": json.dumps(data), **more}).encode()


def read(document: bytes) -> Message:
    """What a server that knows every request makes of an envelope."""
    return codec.decode_data(codec.decode_envelope(document), REQUESTS)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
MEMBER_NAMES = sorted(
    {name for kind in REQUESTS.values() for name in kind.__struct_encode_fields__}
)


class NumbersTest(SynchronousTestCase):
    def test_but_for_ids_before_a_login_no_number_is_one_that_some_reader_would_round(self) -> None:
        free = {messages.RegisterMes, messages.LoginMes, messages.NotifyUserStatusMes}
        for kind in {*REQUESTS.values(), *ANSWERS.values(), messages.Entry, messages.User} - free:
            for member, hint in get_type_hints(kind, include_extras=True).items():
                bound = hint in (Number, EntryNumber)
                self.assertTrue(bound or int not in (hint, *get_args(hint)), member)
        for number in (LARGEST, -LARGEST):
            data: Any = {"conversation": "#lobby", "after": number}
            self.assertEqual(read(enveloped("HistoryMes", data)), HistoryMes(**data))
            data["after"] += number // LARGEST
            with self.assertRaisesRegex(BadMessage, "^after: Expected `int`"):
                read(enveloped("HistoryMes", data))


class RoundTripTest(SynchronousTestCase):
    @given(ANY_MESSAGE, st.none() | st.text(max_size=64))
    def test_what_is_encoded_is_decoded_to_the_same(
        self, message: Message, request_id: str | None
    ) -> None:
        envelope = codec.decode_envelope(body(codec.encode(message, request_id)))
        self.assertEqual(envelope.id, request_id)
        self.assertEqual(codec.decode_data(envelope, known(message)), message)

    @given(ANY_MESSAGE)
    def test_a_frame_is_a_length_and_compact_utf8_json_whose_data_is_a_string(
        self, message: Message
    ) -> None:
        frame = codec.encode(message)
        (size,) = struct.unpack_from(">I", frame)
        self.assertEqual(len(frame), 4 + size)
        envelope = json.loads(frame[4:].decode())
        self.assertEqual(list(envelope), ["type", "data"])
        self.assertIsInstance(json.loads(envelope["data"]), dict)

    @given(ANY_MESSAGE, st.randoms(use_true_random=False))
    def test_every_member_may_be_written_in_any_case(self, message: Message, dice: Any) -> None:
        def any_case(name: str) -> str:
            return "".join(dice.choice((letter.lower(), letter.upper())) for letter in name)

        envelope = json.loads(body(codec.encode(message)))
        envelope["data"] = json.dumps(renamed(json.loads(envelope["data"]), any_case))
        found = codec.decode_envelope(json.dumps(renamed(envelope, any_case)).encode())
        self.assertEqual(codec.decode_data(found, known(message)), message)

    @given(ANY_MESSAGE, st.dictionaries(st.text(min_size=1).map("x-".__add__), JSON_VALUES))
    def test_unknown_members_change_nothing_at_any_level(
        self, message: Message, unknown: dict[str, Any]
    ) -> None:
        def with_more(value: Any) -> Any:
            if isinstance(value, dict):
                return {**unknown, **{name: with_more(inner) for name, inner in value.items()}}
            return [with_more(each) for each in value] if isinstance(value, list) else value

        try:
            json.dumps(unknown, allow_nan=False).encode()
        except ValueError:
            return  # NaN is no JSON, wherever it stands
        envelope = json.loads(body(codec.encode(message)))
        envelope["data"] = json.dumps(with_more(json.loads(envelope["data"])))
        found = codec.decode_envelope(json.dumps({**unknown, **envelope}).encode())
        self.assertEqual(codec.decode_data(found, known(message)), message)


class MemberNamesTest(SynchronousTestCase):
    def test_the_last_duplicate_wins_however_it_is_written(self) -> None:
        for names in [("content", "content"), ("content", "CONTENT"), ("Content", "content")]:
            data = '{{"{}":"first","{}":"last"}}'.format(*names)
            document = json.dumps({"type": "SmsMes", "data": data}).encode()
            self.assertEqual(read(document), messages.SmsMes("last"))

    def test_the_last_duplicate_wins_in_the_envelope_too(self) -> None:
        for names in [("type", "type"), ("TYPE", "type"), ("type", "tYpE")]:
            document = b'{"%b":"SmsMes","data":"{}","%b":"PingMes"}' % tuple(
                name.encode() for name in names
            )
            self.assertEqual(read(document), messages.PingMes())

    def test_null_is_as_good_as_absent(self) -> None:
        said = {"content": "hi", "to": None, "clientId": None}
        self.assertEqual(read(enveloped("SmsMes", said, id=None)), messages.SmsMes("hi"))

    def test_the_names_that_original_clients_write_in_lower_case(self) -> None:
        user = {"userid": 7, "userpwd": "secret", "username": "daiyu"}
        login = {"userId": 7, "userpwd": "secret"}
        found = read(enveloped("RegisterMes", {"user": user}))
        self.assertEqual(found, messages.RegisterMes(messages.Account(7, "secret", "daiyu", 0, "")))
        self.assertEqual(
            read(enveloped("LoginMes", login)), messages.LoginMes(user_id=7, user_pwd="secret")
        )


class RefusedTest(SynchronousTestCase):
    def refused(self, document: bytes) -> BadMessage:
        return self.assertRaises(BadMessage, read, document)

    def test_what_is_no_envelope(self) -> None:
        for document in (
            b"", b" ", b"null", b"7", b'"SmsMes"', b"[]", b"{}", b"{", b"}{", b'{"type":"PingMes"}',
            b'{"data":"{}"}', b'{"type":1,"data":"{}"}', b'{"type":"PingMes","data":{}}',
            b'{"type":"PingMes","data":"{}"} x', b'{"type":"PingMes","data":"{}","id":17}',
            b'{"type":null,"data":"{}"}', b'{"type":"PingMes","data":"{}",}',
        ):  # fmt: skip
            self.refused(document)

    def test_what_can_be_read_of_no_envelope_is_said(self) -> None:
        """Above all of one whose author forgot that ``data`` is a string."""
        known, unknown = ("SmsMes", "17"), ("", None)
        for document, found in (
            (b'{"type":"SmsMes","data":{"content":"hi"},"id":"17"}', known),
            (b'{"ID":"17","Type":"SmsMes","x":[{"type":"y"}]}', known),
            (b'{"type":"SmsMes","data":null,"id":17}', ("SmsMes", None)),
            (b'{"type":"SmsMes","data":7,"id":"%b"}' % (b"i" * 65), ("SmsMes", None)),
            (b'{"type":"%b"}' % (b"x" * 65), ("x" * 64, None)),
            (b'{"type":["SmsMes"],"data":"{}","id":"17"}', ("", "17")),
            (b'{"type":"SmsMes","data":{},"id":"17"', unknown),
            (b'["SmsMes"]', unknown),
        ):
            error = self.refused(document)
            self.assertEqual((error.about, error.request_id), found, document)

    def test_what_is_no_json_although_some_readers_take_it(self) -> None:
        for data in (
            "{'limit':1}", '{"limit":NaN}', '{"limit":Infinity}', '{"limit":-Infinity}',
            '{"limit":01}', '{"limit":+1}', '{"limit":0x10}', '{"limit":1,}', '{"limit":1}//',
            '{"after":"\ud800"}', r'{"after":"\ud800"}', r'{"after":"\udc00\ud800"}',
            '{"after":"\n"}', "\ufeff{}", "", " ", "nul", "[", "{",
        ):  # fmt: skip
            self.refused(
                enveloped("ConversationsMes", {}).replace(b'"{}"', json.dumps(data).encode())
            )

    def test_data_that_is_json_and_no_object(self) -> None:
        for data in (None, [], 7, "x", True, [{}]):
            self.refused(enveloped("PingMes", data))

    def test_a_member_of_the_wrong_type_is_named_with_the_type_and_the_id_of_the_frame(
        self,
    ) -> None:
        error = self.refused(enveloped("HistoryMes", {"conversation": "#a", "before": "x"}, id="9"))
        self.assertIn("before", str(error))
        self.assertEqual((error.about, error.request_id), ("HistoryMes", "9"))
        error = self.refused(enveloped("RegisterMes", {"user": {"userId": "x"}}))
        self.assertIn("user.userId", str(error))

    def test_a_missing_member_is_named(self) -> None:
        self.assertIn("content", str(self.refused(enveloped("SmsMes", {"to": "#lobby"}))))

    def test_an_unknown_type(self) -> None:
        for kind in ("", "Nonsense", "smsmes", "SmsResMes", "x" * 1000):
            self.refused(enveloped(kind, {}))

    def test_an_id_has_64_characters_at_most(self) -> None:
        self.assertEqual(
            codec.decode_envelope(enveloped("PingMes", {}, id="字" * 64)).id, "字" * 64
        )
        self.refused(enveloped("PingMes", {}, id="i" * 65))

    def test_bytes_that_are_no_utf8(self) -> None:
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe4\xb8"):
            self.refused(b'{"type":"LookupMes","data":"{\\"userName\\":\\"' + bad + b'\\"}"}')

    def test_nesting_without_end(self) -> None:
        for opening in (b"[", b'{"a":', b'{"data":{"user":'):
            self.refused(opening * 20_000)
            self.refused(
                enveloped("PingMes", {}).replace(
                    b'"{}"', json.dumps((opening * 20_000).decode()).encode()
                )
            )
        deep = "[" * 30_000 + "]" * 30_000  # 3.11 refuses 1,000, 3.13 some 10,000
        self.refused(b'{"type":"PingMes","data":"{}","x":%b}' % deep.encode())
        self.refused(json.dumps({"type": "PingMes", "data": f'{{"x":{deep}}}'}).encode())

    def test_numbers_too_large_for_anything(self) -> None:
        for number in ("1e999", "-1e999", "1" * 5000, "1.5", "1e-9"):
            data = json.dumps(f'{{"seq":{number},"conversation":"#a"}}').encode()
            self.refused(b'{"type":"RedactMes","data":%b}' % data)

    @given(st.binary(max_size=200))
    def test_no_bytes_raise_anything_else(self, document: bytes) -> None:
        self.raises_only_bad_message(document)

    @given(JSON_VALUES)
    def test_no_json_raises_anything_else(self, value: Any) -> None:
        self.raises_only_bad_message(json.dumps(value).encode())

    @given(
        st.sampled_from(sorted(REQUESTS)),
        st.dictionaries(st.sampled_from(MEMBER_NAMES), JSON_VALUES, max_size=4),
    )
    def test_no_data_raises_anything_else(self, kind: str, data: dict[str, Any]) -> None:
        self.raises_only_bad_message(enveloped(kind, data))

    @given(ANY_MESSAGE, st.data())
    def test_no_damaged_message_raises_anything_else(self, message: Message, data: Any) -> None:
        whole = bytearray(body(codec.encode(message)))
        for _ in range(data.draw(st.integers(1, 3))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(BadMessage):
            codec.decode_data(codec.decode_envelope(bytes(whole)), known(message))

    def raises_only_bad_message(self, document: bytes) -> None:
        try:
            read(document)
        except BadMessage as error:
            self.assertTrue(str(error))


class FrameReaderTest(SynchronousTestCase):
    @given(st.lists(st.binary(min_size=1, max_size=60), max_size=20), st.data())
    def test_frames_are_the_same_however_the_stream_is_cut(
        self, bodies: list[bytes], data: Any
    ) -> None:
        stream = b"".join(map(codec.frame, bodies))
        cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
        edges = [0, *sorted(cuts), len(stream)]
        reader = FrameReader()
        found = [each for start, end in pairwise(edges) for each in reader.feed(stream[start:end])]
        self.assertEqual(found, bodies)

    def test_a_length_is_judged_as_soon_as_its_four_bytes_are_there(self) -> None:
        for size in (0, 101, 2**31, 2**32 - 1):
            reader = FrameReader(limit=100)
            self.assertEqual(reader.feed(struct.pack(">I", size)[:3]), [])
            self.assertRaises(FrameTooLarge, reader.feed, struct.pack(">I", size)[3:])
        self.assertEqual(FrameReader(limit=100).feed(codec.frame(b"x" * 100)), [b"x" * 100])

    @given(st.lists(st.binary(max_size=80), max_size=10))
    def test_no_stream_raises_anything_but_frame_too_large(self, pieces: list[bytes]) -> None:
        reader = FrameReader(limit=1000)
        with contextlib.suppress(FrameTooLarge):
            for piece in pieces:
                reader.feed(piece)


class OriginalClientsTest(SynchronousTestCase):
    def test_members_stand_in_the_order_of_the_go_structs(self) -> None:
        self.assertEqual(
            codec.original_sms(101, "baoyu", 'a "b"', 2)[4:],
            rb'{"type":"SmsMes","data":"{\"content\":\"a \\\"b\\\"\",\"userId\":101,'
            rb'\"userPwd\":\"\",\"userName\":\"baoyu\",\"userStatus\":2,\"sex\":\"\"}"}',
        )
        self.assertEqual(
            codec.original_login_result([100, 101])[4:],
            rb'{"type":"LoginResMes","data":"{\"code\":200,\"UsersId\":[100,101],\"error\":\"\"}"}',
        )
        self.assertEqual(
            codec.encode(messages.OriginalLoginResMes(500, None, "no"))[4:],
            rb'{"type":"LoginResMes","data":"{\"code\":500,\"UsersId\":null,\"error\":\"no\"}"}',
        )

    @given(st.lists(st.integers(1, 2**53 - 1), max_size=1500))
    def test_as_many_users_as_fit_are_listed_and_the_rest_is_cut(self, users: list[int]) -> None:
        frame = codec.original_login_result(users)
        self.assertLessEqual(len(frame) - 4, codec.ORIGINAL_FRAME_LIMIT)
        listed = json.loads(json.loads(frame[4:])["data"])["UsersId"]
        self.assertEqual(listed, users[: len(listed)])
        if len(listed) < len(users):
            one_more = len(frame) - 4 + 1 + len(str(users[len(listed)]))
            self.assertGreater(one_more, codec.ORIGINAL_FRAME_LIMIT)

    @given(
        st.text(max_size=40) | st.sampled_from(['"', "\\", "\x01", "字", "🦊", "x"]),
        st.integers(1, 9000),
        st.text(max_size=32),
    )
    def test_content_that_is_too_long_is_cut_and_ends_in_an_ellipsis(
        self, piece: str, times: int, name: str
    ) -> None:
        content = piece * times
        frame = codec.original_sms(2**53 - 1, name, content)
        self.assertLessEqual(len(frame) - 4, codec.ORIGINAL_FRAME_LIMIT)
        found = json.loads(json.loads(frame[4:])["data"])["content"]
        if found != content:
            self.assertTrue(found.endswith("…"))
            kept = found[:-1]
            self.assertTrue(content.startswith(kept))
            longer = messages.OriginalSmsMes(content[: len(kept) + 1] + "…", 2**53 - 1, "", name, 0)
            self.assertGreater(len(codec.encode(longer)) - 4, codec.ORIGINAL_FRAME_LIMIT)


class SizesTest(SynchronousTestCase):
    @given(st.text())
    def test_a_size_inside_an_envelope_is_known_without_writing_it(self, text: str) -> None:
        data = msgspec.json.encode({"content": text})
        self.assertEqual(codec.escaped_size(data), len(codec.quoted(data)))

    @given(ANY_MESSAGE, st.text(max_size=64))
    def test_an_envelope_can_be_put_around_json_that_is_there_already(
        self, message: Message, request_id: str
    ) -> None:
        kind = messages.type_name(type(message))
        data = msgspec.json.encode(message)
        built = codec.frame(codec.envelope(kind, data, request_id))
        self.assertEqual(built, codec.encode(message, request_id))
        self.assertEqual(
            codec.decode_envelope(built[4:]), Envelope(kind, data.decode(), request_id)
        )


class AcceptedTests(SynchronousTestCase):
    @given(st.text(max_size=70), st.text(max_size=40), st.text(max_size=40), st.integers(0, 2**53))
    def test_the_reply_put_together_by_hand_is_the_message(
        self, client_id: str, conversation: str, request_id: str, number: int
    ) -> None:
        by_hand = codec.sms_accepted(request_id, client_id, conversation, "3.ab", 2, number, 7)
        message = messages.SmsResMes(200, "", client_id, conversation, "3.ab", 2, number, 7)
        self.assertEqual(by_hand, codec.encode(message, request_id))
