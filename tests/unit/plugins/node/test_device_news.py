"""Waiting for a device by what the kernel says, with this machine's own kernel."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.metalpool.core.plugins.module_utils import _device_news
from ansible_collections.metalpool.core.plugins.module_utils._device_news import DeviceNews
from ansible_collections.metalpool.core.plugins.module_utils._settle import QUIET_SECONDS, settle


@pytest.fixture
def device() -> Path:
    """A block device of which the kernel can be made to say that it changed."""
    for one in sorted(Path("/sys/block").iterdir()):
        if os.access(one / "uevent", os.W_OK):
            return one / "uevent"
    pytest.skip("no block device here, or not root")


def test_a_wait_ends_as_soon_as_a_device_of_the_kind_changes(device: Path) -> None:
    with DeviceNews("block") as news:
        changing = threading.Timer(0.2, device.write_text, ["change"])
        changing.start()
        began = time.monotonic()
        assert news.wait(30)
        assert 0.1 < time.monotonic() - began < 10
        changing.join()


def test_what_happened_before_the_wait_is_not_missed(device: Path) -> None:
    with DeviceNews("block") as news:
        device.write_text("change")
        assert news.wait(30)


def test_other_kinds_do_not_end_it(device: Path) -> None:
    with DeviceNews("net") as news:
        device.write_text("change")
        assert not news.wait(0.3)


def test_where_netlink_is_not_allowed_the_wait_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_unused: object) -> None:
        raise PermissionError

    monkeypatch.setattr(_device_news.socket, "socket", refuse)
    began = time.monotonic()
    with DeviceNews("block") as news:
        assert not news.wait(0.2)
    assert time.monotonic() - began >= 0.2


def test_a_quiet_machine_settles_at_once() -> None:
    began = time.monotonic()
    settle(30)
    assert QUIET_SECONDS <= time.monotonic() - began < 15
