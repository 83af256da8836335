"""How pytest runs the tests: every TestCase before all plain functions, one server for most."""

import unittest
from collections.abc import Iterator

import pytest

from tests.party import Party
from tests.process import ServerProcess
from tests.server import GENEROUS, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the TestCases to the front, otherwise in their order.

    Once pytest-twisted has run a plain function, its reactor goes on running, and every TestCase
    that comes later finds it dirty.
    """
    items.sort(key=lambda item: not _is_test_case(item))


def _is_test_case(item: pytest.Item) -> bool:
    parent = item.getparent(pytest.Class)
    return parent is not None and issubclass(parent.obj, unittest.TestCase)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """The server that all tests share which can live with each other."""
    with serving(*GENEROUS) as server:
        yield server


@pytest.fixture
def party(server: ServerProcess) -> Iterator[Party]:
    """Users and peers on the shared server; the peers end with the test."""
    with Party(server.port) as party:
        yield party
