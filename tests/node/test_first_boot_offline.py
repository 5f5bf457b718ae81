"""first_boot on an image that needs no cloud-init: what is written before the first boot is read from the mounted file system."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Answer, LoopDisk
from .test_first_boot import KEY, OPTIONS, OTHER_KEY

URL = OPTIONS["phone_home_url"]
HASH = "$6$salt$secrethash"


@pytest.fixture
def written(written: LoopDisk, edited) -> LoopDisk:
    """The image says that it is made for it, and has a skeleton with a key of its builder."""
    edited(
        written,
        {
            "usr/lib/systemd/system/metalpool-phone-home.service": "[Service]\n",
            "etc/skel/.profile": "x\n",
            "etc/skel/.ssh/authorized_keys": "ssh-ed25519 build\n",
            "etc/subuid": "builder:100000:65536\nother:165536:65536\n",
        },
    )
    return written


def rows(file: Path) -> dict[str, list[str]]:
    return {line.split(":")[0]: line.split(":")[1:] for line in file.read_text().splitlines()}


def test_who_may_log_in(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    people = [{"name": "friend", "ssh_keys": [OTHER_KEY], "sudo": False}, {"name": "daemon2", "sudo": True, "password_hash": HASH}]
    answer = module("first_boot", disk=written.path, extra_users=people, **OPTIONS)
    assert not answer.failed, answer
    assert answer["method"] == "offline" and HASH not in json.dumps(answer) and URL not in json.dumps(answer)
    root = inside(written)
    users = rows(root / "etc/passwd")
    assert list(users) == ["root", "daemon", "nobody", "holder", "friend", "daemon2"]
    assert users["holder"] == ["x", "1000", "1000", "", "/home/holder", "/bin/bash"] and users["daemon2"][1] == "1002"
    shadow = rows(root / "etc/shadow")
    assert {name: row[0] for name, row in shadow.items()} == {
        "root": "!", "daemon": "*", "nobody": "*", "holder": "!", "friend": "!", "daemon2": HASH
    }
    assert (root / "etc/shadow").stat().st_mode & 0o777 == 0o640
    groups = rows(root / "etc/group")
    assert groups["sudo"] == ["x", "27", "daemon,holder,daemon2"] and groups["friend"] == ["x", "1001", ""]
    assert rows(root / "etc/gshadow")["sudo"] == ["*", "", "daemon,holder,daemon2"]
    assert rows(root / "etc/subuid") == {"other": ["165536", "65536"], "holder": ["231072", "65536"], "friend": ["296608", "65536"],
                                         "daemon2": ["362144", "65536"]}
    rules = root / "etc/sudoers.d/90-metalpool"
    assert rules.read_text().splitlines()[1:] == ["holder ALL=(ALL) NOPASSWD:ALL", "daemon2 ALL=(ALL) NOPASSWD:ALL"]
    assert rules.stat().st_mode & 0o777 == 0o440 and not list((root / "etc/sudoers.d").glob("*.*"))


def test_homes_are_their_owners(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    module("first_boot", disk=written.path, extra_users=[{"name": "friend"}], **OPTIONS)
    root = inside(written)
    keys = root / "home/holder/.ssh/authorized_keys"
    assert keys.read_text() == f"{KEY}\n{OTHER_KEY}\n"
    assert (root / "home/friend/.ssh/authorized_keys").read_text() == ""
    for path, mode in ((keys, 0o600), (keys.parent, 0o700), (root / "home/holder", 0o700), (root / "home/holder/.profile", 0o644)):
        found = path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1000, 1000, mode), path
    assert (root / "home/friend").stat().st_uid == 1001 and (root / "home").stat().st_uid == 0


def test_who_the_system_is(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    answer = module("first_boot", disk=written.path, **(OPTIONS | {"hostname": "build-7.example.org"}))
    root = inside(written)
    assert (root / "etc/hostname").read_text() == "build-7\n"
    assert "127.0.1.1 build-7.example.org build-7\n" in (root / "etc/hosts").read_text()
    assert len((root / "etc/machine-id").read_text().strip()) == 32
    assert "removed user builder" in answer["cleaned"] and not (root / "home/builder").exists()
    for kind in ("ed25519", "ecdsa"):
        key = root / f"etc/ssh/ssh_host_{kind}_key"
        public = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], check=True, capture_output=True, text=True).stdout
        assert public.split()[:2] == key.with_suffix(".pub").read_text().split()[:2] and key.stat().st_mode & 0o777 == 0o600
    address = root / "etc/metalpool/phone-home"
    assert address.read_text() == URL + "\n" and address.stat().st_mode & 0o777 == 0o600
    assert (root / "etc/cloud/cloud-init.disabled").exists() and not (root / "var/lib/cloud/seed").exists()
    assert (root / "etc/ssh/sshd_config.d/50-cloud-init.conf").read_text() == "PasswordAuthentication no\n"
    assert "PermitRootLogin no" in (root / "etc/ssh/sshd_config.d/60-metalpool.conf").read_text()


def test_the_network(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    fixed = {"mac": "52:54:00:aa:bb:02", "name": "eno2", "dhcp": False, "addresses": ["192.0.2.7/24", "2001:db8::7/64"],
             "gateways": ["192.0.2.1", "fe80::1"], "dns": ["192.0.2.2"], "mtu": 9000}
    answer = module("first_boot", disk=written.path, **(OPTIONS | {"interfaces": [*OPTIONS["interfaces"], fixed]}))
    assert [entry["name"] for entry in answer["interfaces"]] == ["eno1", "eno2"]
    folder = inside(written) / "etc/systemd/network"
    match = "[Match]\nMACAddress=52:54:00:aa:bb:0{}\nType=ether\n\n"
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "10-metalpool-eno1.link": match.format(1) + "[Link]\nName=eno1\n",
        "10-metalpool-eno1.network": match.format(1) + "[Network]\nDHCP=ipv4\n",
        "10-metalpool-eno2.link": match.format(2) + "[Link]\nName=eno2\n",
        "10-metalpool-eno2.network": match.format(2) + "[Link]\nMTUBytes=9000\n\n[Network]\nAddress=192.0.2.7/24\n"
        "Address=2001:db8::7/64\nGateway=192.0.2.1\nGateway=fe80::1\nDNS=192.0.2.2\n",
    }


def test_user_data_or_the_caller_may_want_cloud_init(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    module("first_boot", disk=written.path, **OPTIONS)
    answer = module("first_boot", disk=written.path, user_data="#cloud-config\n{}\n", **OPTIONS)
    assert answer["method"] == "cloud-init" and "removed user holder" in answer["cleaned"]
    root = inside(written)
    for gone in ("etc/cloud/cloud-init.disabled", "etc/metalpool/phone-home", "etc/sudoers.d/90-metalpool", "etc/ssh/ssh_host_ed25519_key",
                 "home/holder", "etc/systemd/network/10-metalpool-eno1.network"):
        assert not (root / gone).exists(), gone
    assert (root / "var/lib/cloud/seed/nocloud/user-data").exists()


def test_a_name_that_the_image_needs_itself(module: t.Callable[..., Answer], written: LoopDisk) -> None:
    answer = module("first_boot", disk=written.path, **(OPTIONS | {"user": "daemon"}))
    assert answer.failed and "user: daemon is an account of the image itself" in answer["msg"]


def test_a_home_that_is_a_link_leads_nowhere_outside(module: t.Callable[..., Answer], written: LoopDisk, tmp_path: Path, inside) -> None:
    target = f"/opt/elsewhere-{os.getpid()}"
    point = tmp_path / "link"
    point.mkdir()
    subprocess.run(["mount", written.partition(3), str(point)], check=True)
    (point / "home/holder").symlink_to(target)
    subprocess.run(["umount", str(point)], check=True)
    assert not module("first_boot", disk=written.path, **OPTIONS).failed
    assert not os.path.exists(target)
    assert (inside(written) / target.lstrip("/") / ".ssh/authorized_keys").read_text().startswith(KEY)
