"""The user's file of host keys."""

from __future__ import annotations

import multiprocessing
import subprocess
from pathlib import Path

import pytest
from ansible_collections.metalpool.core.plugins.plugin_utils._known_hosts import Host, ssh_arguments, write

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_is_for_the_user_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "known_hosts"
    assert write(str(path), "https://a", [Host("10.0.0.1", (f"{KEY}1 comment",))])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert lines(path) == [f"10.0.0.1 {KEY}1 https://a"]
    assert not write(str(path), "https://a", [Host("10.0.0.1", (f"{KEY}1",))])


def test_a_node_that_was_given_back_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    write(str(path), "https://a", [Host("10.0.0.1", (f"{KEY}1",)), Host("10.0.0.2", (f"{KEY}2",))])
    write(str(path), "https://a", [Host("10.0.0.2", (f"{KEY}2",))])
    assert lines(path) == [f"10.0.0.2 {KEY}2 https://a"]


def test_services_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    write(str(path), "https://a", [Host("10.0.0.1", (f"{KEY}1",))])
    write(str(path), "https://b", [Host("10.0.0.2", (f"{KEY}2",))])
    assert len(lines(path)) == 2


def test_what_another_has_written_already_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    host = Host("10.0.0.1", (f"{KEY}1", f"{KEY}2 comment"))
    assert write(str(path), "https://a", [host])
    assert not write(str(path), "metalpool", [host], keep_source=True)
    assert write(str(path), "metalpool", [Host("10.0.0.1", (f"{KEY}1",))], keep_source=True)
    assert lines(path) == [f"10.0.0.1 {KEY}1 metalpool"]


def test_an_address_has_the_keys_of_its_last_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    write(str(path), "https://a", [Host("10.0.0.1", ("ecdsa-sha2-nistp256 AAAA", f"{KEY}1"))])
    write(str(path), "metalpool", [Host("10.0.0.1", (f"{KEY}9",))], keep_source=True)
    assert lines(path) == [f"10.0.0.1 {KEY}9 metalpool"]


@pytest.mark.parametrize(
    "host",
    [
        Host("10.0.0.1", (f"{KEY}\n* {KEY}",)),
        Host("10.0.0.1", ("nonsense",)),
        Host("* 10.0.0.1", (KEY,)),
        Host("", (KEY,)),
    ],
)
def test_refuses_what_would_spoil_the_file(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "known_hosts"
    write(str(path), "https://a", [Host("10.0.0.2", (f"{KEY}2",))])
    with pytest.raises(ValueError, match="is not an"):
        write(str(path), "https://a", [host])
    assert lines(path) == [f"10.0.0.2 {KEY}2 https://a"]


def many(path: str, number: int) -> None:
    for count in range(20):
        write(path, f"https://{number}", [Host(f"10.0.{number}.{count}", (KEY,))], keep_source=True)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=many, args=(str(path), number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(lines(path)) == 80


def test_ssh_takes_the_arguments(tmp_path: Path) -> None:
    """ssh itself says what it made of them, also with a blank in the path."""
    path = tmp_path / "a directory" / "known_hosts"
    command = f"ssh -G {ssh_arguments(str(path))} 10.0.0.1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert f'userknownhostsfile "{path}"' in done.stdout or f"userknownhostsfile {path}" in done.stdout
    assert "stricthostkeychecking true" in done.stdout or "stricthostkeychecking yes" in done.stdout
