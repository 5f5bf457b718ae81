# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloud-init's NoCloud seed: meta-data, user-data and network-config.

JSON is YAML, so nothing here needs a YAML library. The holder's own user data and ours go into one MIME archive: theirs
first and untouched, ours after it, merged in such a way that both count (cloud-init, "Merging user data sections").
The library for e-mail is imported where it is used: it costs a second on a slow machine, and most deployments need no seed.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._accounts import Account
from ansible_collections.metalpool.core.plugins.module_utils._network import Interface, cloud_init

# How user data begins, and what cloud-init calls it (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP)
TYPES = (
    ("#cloud-config-archive", "cloud-config-archive"),
    ("#cloud-config-jsonp", "cloud-config-jsonp"),
    ("#cloud-config", "cloud-config"),
    ("#cloud-boothook", "cloud-boothook"),
    ("#part-handler", "part-handler"),
    ("#include-once", "x-include-once-url"),
    ("#include", "x-include-url"),
    ("#!", "x-shellscript"),
    ("## template: jinja", "jinja2"),
    ("#upstart-job", "upstart-job"),
)
# Lists are appended to theirs; where both set the same scalar, theirs stays.
ADD = "list(append)+dict(no_replace,recurse_list)+str()"
# Ours counts.
REPLACE = "dict(replace)+list()+str()"
PHONE_HOME = ("instance_id", "hostname", "fqdn", "pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519")


class SeedProblem(Exception):
    """The holder's options cannot be turned into a seed; the text names the option."""


def user(account: Account) -> dict:
    """One entry of cloud-config's users. Without a hash the password is locked."""
    entry: dict = {
        "name": account.name,
        "shell": "/bin/bash",
        "lock_passwd": not account.password_hash,
        "ssh_authorized_keys": list(account.ssh_keys),
    }
    if account.password_hash:
        # hashed_passwd also changes a user that is there already; passwd does not
        entry["hashed_passwd"] = account.password_hash
    if account.sudo:
        entry["sudo"] = "ALL=(ALL) NOPASSWD:ALL"
        entry["groups"] = "sudo"
    return entry


def base_config(main: Account) -> bytes:
    """Base configuration for the image: the holder's main user is cloud-init's default user, and only NoCloud is asked.

    So a plain C(ssh_authorized_keys) or C(users: [default, ...]) in the holder's user data means that user, as people expect.
    ds-identify, a shell script, wants datasource_list on one line.
    """
    default = user(main)
    config = {
        "users": ["default"],
        "disable_root": True,
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "system_info": {"default_user": dict(default, groups=[default["groups"]] if "groups" in default else [], gecos="Metalpool")},
    }
    lines = ["# Written by Metalpool.", "datasource_list: [ NoCloud, None ]"]
    lines += [f"{key}: {json.dumps(value)}" for key, value in config.items()]
    return ("\n".join(lines) + "\n").encode("utf-8")


def user_data(users: t.Sequence[dict], ssh_password: bool, phone_home: dict | None, theirs: str | None) -> bytes:
    """The user-data file.

    :param theirs: the holder's user data in any format of cloud-init
    """
    import email.mime.multipart

    archive = email.mime.multipart.MIMEMultipart(boundary="=====metalpool=====")
    if theirs and theirs.strip():
        archive.attach(_their_part(theirs))
    archive.attach(_config({"users": list(users), "ssh_pwauth": ssh_password, "disable_root": True}, ADD, "metalpool-users.cfg"))
    if phone_home:
        archive.attach(_config({"phone_home": phone_home}, REPLACE, "metalpool-phone-home.cfg"))
    return archive.as_bytes()


def phone_home(url: str, tries: int) -> dict:
    """cloud-config's phone_home: the host keys and who we are."""
    return {"url": url, "post": list(PHONE_HOME), "tries": tries}


def meta_data(instance_id: str, hostname: str, ssh_keys: t.Sequence[str]) -> bytes:
    """The meta-data file. The keys stand here too, for user data that does away with the users."""
    return _json({"instance-id": instance_id, "local-hostname": hostname, "public-keys": list(ssh_keys)})


def network_config(interfaces: t.Sequence[Interface]) -> bytes:
    """The network-config file, version 2."""
    return _json(cloud_init(interfaces))


def _json(data: t.Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode("utf-8")


def _config(config: dict, merge: str, name: str) -> t.Any:
    import email.mime.text

    part = email.mime.text.MIMEText("#cloud-config\n" + json.dumps(config, indent=1, sort_keys=True) + "\n", "cloud-config", "utf-8")
    part.add_header("Merge-Type", merge)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def _their_part(theirs: str) -> t.Any:
    """The holder's user data as one part of the archive."""
    import email
    import email.mime.text

    text = theirs.lstrip("\ufeff")
    if not text.startswith("#"):
        message = email.message_from_string(text.lstrip())
        if message.get("MIME-Version") or message.get_content_maintype() == "multipart":
            return message
        raise SeedProblem(
            "user_data: it begins with {!r}; it has to begin as cloud-init's formats do, with one of {}, or be a MIME archive.".format(
                text[:30], ", ".join(repr(start) for start, unused in TYPES)
            )
        )
    for start, kind in TYPES:
        if text.startswith(start):
            part = email.mime.text.MIMEText(text, kind, "utf-8")
            part.add_header("Content-Disposition", "attachment", filename="user-data")
            return part
    raise SeedProblem(
        "user_data: its first line is {!r}; it has to be one of {}, or a MIME archive.".format(
            text.splitlines()[0][:60], ", ".join(repr(start) for start, unused in TYPES)
        )
    )
