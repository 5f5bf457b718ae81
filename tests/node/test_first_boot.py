"""first_boot, as cloud-init's seed, on a disk that image_write wrote; what it leaves is read from the mounted file system."""

from __future__ import annotations

import email
import json
import os
import typing as t
from pathlib import Path

import pytest

from .conftest import Answer, Image, LoopDisk

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx5aW5nIGluIHRoZSBkb2N1bWVudGF0aW9u me@example.org"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFub3RoZXIga2V5IG9mIHNvbWVib2R5IGVs you@example.org"
OPTIONS = {
    "instance_id": "operation-1",
    "hostname": "build-7",
    "user": "holder",
    "ssh_keys": [KEY, OTHER_KEY],
    "phone_home_url": "http://192.0.2.1/boot/phone-home/token",
    "interfaces": [{"mac": "52:54:00:AA:BB:01", "name": "eno1"}],
}
SEED = "var/lib/cloud/seed/nocloud/"


def parts(root: Path) -> list[email.message.Message]:
    message = email.message_from_bytes((root / SEED / "user-data").read_bytes())
    return [part for part in message.walk() if not part.is_multipart()]


def configs(root: Path) -> dict[str, dict]:
    """Our parts of the user data by name."""
    found = {}
    for part in parts(root):
        text = part.get_payload(decode=True).decode()
        if (part.get_filename() or "").startswith("metalpool"):
            assert text.startswith("#cloud-config\n")
            found[part.get_filename()] = json.loads(text.split("\n", 1)[1])
    return found


def test_the_seed(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    people = [
        {"name": "friend", "ssh_keys": [OTHER_KEY], "sudo": False},
        {"name": "admin2", "ssh_keys": [], "sudo": True, "password_hash": "$6$x$y"},
    ]
    answer = module("first_boot", disk=written.path, extra_users=people, **OPTIONS)
    assert not answer.failed, answer
    assert answer["root"] == written.path + "p3" and answer["boot_entry"] is None and answer["method"] == "cloud-init"
    root = inside(written)
    meta = json.loads((root / SEED / "meta-data").read_text())
    assert meta == {"instance-id": "operation-1", "local-hostname": "build-7", "public-keys": [KEY, OTHER_KEY]}
    network = json.loads((root / SEED / "network-config").read_text())
    assert network == {
        "version": 2,
        "ethernets": {"eno1": {"match": {"macaddress": "52:54:00:aa:bb:01"}, "set-name": "eno1", "dhcp4": True}},
    }
    ours = configs(root)
    users = ours["metalpool-users.cfg"]["users"]
    assert users[0] == "default" and [user["name"] for user in users[1:]] == ["friend", "admin2"]
    assert users[1]["lock_passwd"] is True and "sudo" not in users[1] and users[1]["ssh_authorized_keys"] == [OTHER_KEY]
    assert users[2]["lock_passwd"] is False and users[2]["hashed_passwd"] == "$6$x$y" and "NOPASSWD" in users[2]["sudo"]
    home = ours["metalpool-phone-home.cfg"]["phone_home"]
    assert home["url"] == OPTIONS["phone_home_url"] and "pub_key_ed25519" in home["post"] and home["tries"] == 30
    for name in ("meta-data", "user-data", "network-config"):
        assert (root / SEED / name).stat().st_mode & 0o777 == 0o600


def test_nothing_of_the_build_can_log_in(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    answer = module("first_boot", disk=written.path, **OPTIONS)
    root = inside(written)
    users = [line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()]
    assert users == ["root", "daemon", "nobody"]
    shadow = {line.split(":")[0]: line.split(":")[1] for line in (root / "etc/shadow").read_text().splitlines()}
    assert shadow == {"root": "!", "daemon": "*", "nobody": "*"}
    assert (root / "etc/shadow").stat().st_mode & 0o777 == 0o640
    assert (root / "etc/group").read_text() == "root:x:0:\nsudo:x:27:daemon\n"
    assert (root / "etc/gshadow").read_text() == "root:*::\nsudo:*::daemon\n"
    assert (root / "etc/sudoers.d/90-build").read_text() == "%sudo ALL=(ALL) ALL\n"
    for gone in (
        "home/builder",
        "home/toor",
        "root/.ssh",
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/ssh_host_ed25519_key.pub",
        "var/lib/cloud/instance",
    ):
        assert not (root / gone).exists(), gone
    assert (root / "etc/machine-id").read_text() == ""
    drop_in = (root / "etc/ssh/sshd_config.d/60-metalpool.conf").read_text()
    assert "PermitRootLogin no" in drop_in and "PasswordAuthentication no" in drop_in
    assert {"removed user builder", "removed user toor", "locked the password of root"} <= set(answer["cleaned"])


def test_a_link_in_the_image_leads_nowhere_outside_of_it(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    assert not os.path.exists("/opt/elsewhere")
    module("first_boot", disk=written.path, **OPTIONS)
    assert not os.path.exists("/opt/elsewhere")
    config = (inside(written) / "opt/elsewhere/99_metalpool.cfg").read_text()
    assert "datasource_list: [ NoCloud, None ]" in config
    default = json.loads(next(line for line in config.splitlines() if line.startswith("system_info: ")).split(": ", 1)[1])["default_user"]
    assert default["name"] == "holder" and default["ssh_authorized_keys"] == [KEY, OTHER_KEY] and default["lock_passwd"] is True


def test_an_old_sshd_without_drop_ins(module: t.Callable[..., Answer], written: LoopDisk, inside, edited) -> None:
    edited(written, {"etc/ssh/sshd_config": "PermitRootLogin yes\nX11Forwarding no\n"})
    module("first_boot", disk=written.path, **OPTIONS)
    lines = (inside(written) / "etc/ssh/sshd_config").read_text().splitlines()
    assert lines == ["PermitRootLogin no", "PasswordAuthentication no", "X11Forwarding no"]


def test_it_can_be_run_again(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    for unused in range(2):
        answer = module("first_boot", disk=written.path, **OPTIONS)
        assert not answer.failed
    assert answer["cleaned"] == []
    assert [part.get_filename() for part in parts(inside(written))] == ["metalpool-users.cfg", "metalpool-phone-home.cfg"]


THEIRS = {
    "#cloud-config\nruncmd: [[touch, /x]]\n": "text/cloud-config",
    "#!/bin/sh\ntouch /x\n": "text/x-shellscript",
    "#include\nhttp://192.0.2.1/x\n": "text/x-include-url",
    "#cloud-boothook\n#!/bin/sh\n": "text/cloud-boothook",
    "## template: jinja\n#cloud-config\n{}\n": "text/jinja2",
    "#cloud-config-archive\n- {type: text/cloud-config, content: 'a: b'}\n": "text/cloud-config-archive",
    'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--b--\n': (
        "text/x-shellscript"
    ),
}


@pytest.mark.parametrize("theirs", list(THEIRS))
def test_user_data_of_every_format_goes_first_and_untouched(
    module: t.Callable[..., Answer], written: LoopDisk, inside, theirs: str
) -> None:
    answer = module("first_boot", disk=written.path, user_data=theirs, **OPTIONS)
    assert not answer.failed, answer
    found = parts(inside(written))
    assert found[0].get_content_type() == THEIRS[theirs]
    body = found[0].get_payload(decode=True).decode()
    assert body.strip() in theirs
    assert [part.get_filename() for part in found[1:]] == ["metalpool-users.cfg", "metalpool-phone-home.cfg"]


def test_cloud_init_itself_honours_both(module: t.Callable[..., Answer], written: LoopDisk, inside) -> None:
    """With cloud-init on the path (of the machine that runs the tests), its own code merges the parts."""
    pytest.importorskip("cloudinit", reason="cloud-init is not installed here; the boots of the end-to-end tests prove it")
    from cloudinit import mergers, util

    theirs = (
        "#cloud-config\nusers: [{name: theirs}]\nruncmd: [one]\nssh_pwauth: true\nphone_home: {url: 'http://evil/'}\npackages: [tree]\n"
    )
    module("first_boot", disk=written.path, user_data=theirs, extra_users=[{"name": "friend"}], **OPTIONS)
    merged: dict = {}
    for part in parts(inside(written)):
        rules = mergers.string_extract_mergers(part.get("Merge-Type") or "dict(replace)+list()+str()")
        merged = mergers.construct(rules).merge(merged, util.load_yaml(part.get_payload(decode=True).decode()))
    assert [user if isinstance(user, str) else user["name"] for user in merged["users"]] == ["theirs", "default", "friend"]
    assert merged["phone_home"]["url"] == OPTIONS["phone_home_url"]
    assert merged["runcmd"] == ["one"] and merged["ssh_pwauth"] is True and merged["packages"] == ["tree"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hostname": "no_such name"}, "hostname: no_such name"),
        ({"user": "root"}, "root does not log in"),
        ({"user": "Big User"}, "user: Big User"),
        ({"ssh_keys": ["not a key"]}, "not a public SSH key"),
        ({"ssh_keys": []}, "nobody could log in"),
        ({"password_hash": "plain"}, "never give the password itself"),
        ({"user_data": "hello"}, "user_data: it begins with"),
        ({"user_data": "# just a comment"}, "user_data: its first line"),
        ({"interfaces": [{"mac": "zz"}]}, "interfaces: zz"),
        ({"method": "offline", "user_data": "#cloud-config"}, "method: offline does not start cloud-init"),
        ({"disk": "NO-SUCH-SERIAL"}, "NO-SUCH-SERIAL"),
    ],
)
def test_bad_input_changes_nothing(module: t.Callable[..., Answer], written: LoopDisk, image: Image, options: dict, words: str) -> None:
    answer = module("first_boot", **{"disk": written.path, **OPTIONS, **options})
    assert answer.failed and words in answer["msg"]
    assert written.read(0, len(image.raw)) == image.raw


def test_a_disk_without_an_operating_system(module: t.Callable[..., Answer], loop_disk) -> None:
    answer = module("first_boot", disk=loop_disk(8).path, **OPTIONS)
    assert answer.failed and "no partition looks like a root file system" in answer["msg"]


def test_secrets_stand_in_no_answer(module: t.Callable[..., Answer], written: LoopDisk) -> None:
    answer = module(
        "first_boot", disk=written.path, password_hash="$6$salt$secrethash", user_data="#cloud-config\nx: secretdata\n", **OPTIONS
    )
    assert not answer.failed
    assert (
        "secrethash" not in json.dumps(answer) and "secretdata" not in json.dumps(answer) and "phone-home/token" not in json.dumps(answer)
    )


def test_check_mode_changes_nothing(module: t.Callable[..., Answer], written: LoopDisk, image: Image) -> None:
    answer = module("first_boot", check=True, disk=written.path, **OPTIONS)
    assert answer["changed"] and written.read(0, len(image.raw)) == image.raw
