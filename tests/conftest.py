"""How pytest runs the tests: every TestCase before the first plain function."""

import unittest

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the TestCases to the front, otherwise in their order.

    Once pytest-twisted has run a plain function, its reactor goes on running, and every TestCase
    that comes later finds it dirty.
    """
    items.sort(key=lambda item: not _is_test_case(item))


def _is_test_case(item: pytest.Item) -> bool:
    parent = item.getparent(pytest.Class)
    return parent is not None and issubclass(parent.obj, unittest.TestCase)
