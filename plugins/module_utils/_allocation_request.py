# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module allocation asks the service for. Private to this collection."""
from __future__ import annotations

import re
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._allocation_job import Allocation, Failed, Params
from ansible_collections.metalpool.core.plugins.module_utils._api import Answer, Api
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError
from ansible_collections.metalpool.core.plugins.module_utils._ssh_keys import KeyFileError, default_keys, read_keys
from ansible_collections.metalpool.core.plugins.module_utils._wanted import is_said, wanted

LEASE = ("lease", "until")
OF_SETS = ("count", "min_count", "same")
_BESIDES = ("name", "note", "addresses", *OF_SETS, *LEASE)


def credentials(params: Params) -> dict[str, t.Any]:
    """Who may log in, as far as it was said.

    :raises Failed: a file has no public key
    """
    keys = [key.strip() for key in params["ssh_keys"]]
    try:
        for path in params["ssh_key_files"]:
            keys.extend(read_keys(path))
    except KeyFileError as exc:
        raise Failed(str(exc)) from exc
    given: dict[str, t.Any] = {key: params[key] for key in ("user", "password_hash", "user_data") if params[key]}
    if keys:
        given["ssh_keys"] = list(dict.fromkeys(keys))
    if params["extra_users"]:
        given["extra_users"] = [
            {key: value for key, value in user.items() if value is not None} for user in params["extra_users"]
        ]
    return given


def default_image(images: t.Iterable[dict[str, t.Any]], arch: t.Any) -> str:
    """The image of the highest version, when all that are for the architecture are of one operating system.

    :raises Failed: there are several operating systems, or no image at all
    """
    named = arch.replace(" ", "").split(",") if isinstance(arch, str) else arch
    fitting = [image for image in images if not arch or image["arch"] in named]
    if len({(image["os"], image["arch"]) for image in fitting}) != 1:
        names = ", ".join(sorted(image["name"] for image in fitting)) or "none; register one with metalpool.core.image"
        raise Failed(f"image is not given, and it is not clear which one is meant; allowed: {names}")
    return max(fitting, key=lambda image: (version_key(image["version"]), image["name"]))["name"]


def version_key(version: str) -> list[tuple[int, str]]:
    """A key that sorts 9 before 12 and 22.04 before 22.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.\-_ ]", version)]


def deployment(params: Params) -> dict[str, t.Any]:
    """What a deploy needs to know, as far as it was said; the service keeps the rest as it was."""
    asked = {key: params[key] for key in ("image", "hostname", "root_disk") if params[key]}
    who = credentials(params)
    return {**asked, "credentials": who} if who else asked


def end(params: Params) -> dict[str, t.Any]:
    """How long, or until when, as far as it was said."""
    return {key: params[key] for key in LEASE if params[key]}


def request(params: Params, api: Api) -> dict[str, t.Any]:
    """What the service is asked for, to acquire a node or a set of them."""
    asked = {**wanted(params), "deploy": params["deploy"], **deployment(params)}
    asked.update({key: params[key] for key in _BESIDES if is_said(params[key])})
    if any(value is not None for value in params["annotations"].values()):
        asked["annotations"] = written({}, params)["annotations"]
    if params["queue"]:
        asked["wait"] = True
        if params["queue_timeout"]:
            asked["wait_timeout"] = params["queue_timeout"]
    if params["deploy"] and not params["image"]:
        asked["image"] = default_image(api.items("/images"), params["arch"])
    return asked


def public(asked: dict[str, t.Any]) -> dict[str, t.Any]:
    """The request without what must not be shown."""
    return {key: value for key, value in asked.items() if key != "credentials"}


def post_with_keys(api: Api, path: str, asked: dict[str, t.Any]) -> Answer:
    """POST, and when the service says that nobody could log in, again with the keys in ~/.ssh."""
    try:
        return api.post(path, asked)
    except ApiError as exc:
        try:
            keys = default_keys() if exc.problem.get("field") == "credentials.ssh_keys" and "value" in exc.problem else []
        except KeyFileError as wrong:
            raise Failed(str(wrong)) from exc
        if not keys or exc.problem["value"]:
            raise
    who = {**asked.get("credentials", {}), "ssh_keys": keys}
    return api.post(path, {**asked, "credentials": who})


def written(allocation: Allocation, params: Params) -> dict[str, t.Any]:
    """Note and annotations as they shall be."""
    after = {**allocation.get("annotations", {}), **params["annotations"]}
    note = params["note"] if params["note"] is not None else allocation.get("note")
    return {"note": note, "annotations": {key: str(value) for key, value in after.items() if value is not None}}
