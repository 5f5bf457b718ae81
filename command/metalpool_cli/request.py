"""A request for a node or a set of nodes: its options, and the document that the service is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

import click

from metalpool_cli.api import Answer, Api, Document
from metalpool_cli.errors import Misused, Refused
from metalpool_cli.keys import default_keys, read_keys
from metalpool_cli.wanted import pairs, wanted, wanted_options

F = TypeVar("F", bound=Callable[..., Any])
_NOT_PLANNED = ("hostname", "note", "annotations", "wait_timeout")
_SAID = ("name", "image", "hostname", "root_disk", "note", "count", "min_count", "same", "lease", "until")

_DEPLOYMENT = (
    click.option("--image", metavar="NAME", help="Operating system to install."),
    click.option("--hostname", metavar="NAME", help="Host name of the installed system."),
    click.option("--root-disk", metavar="SERIAL", help="Disk to install on, where there are several."),
    click.option("--user", metavar="NAME", help="User that is made, with sudo; the image's own by default."),
    click.option("--ssh-key", multiple=True, metavar="KEY", help="Public key that may log in."),
    click.option("--ssh-key-file", multiple=True, metavar="FILE", help="Public keys that may log in, from a file."),
    click.option("--password-hash-file", type=click.File("r"), metavar="FILE", help="Hash of a password, for the console."),
    click.option("--user-data", type=click.File("r"), metavar="FILE", help="cloud-init user data; - reads it from the input."),
)
_HOLDING = (
    click.option("--lease", metavar="TIME", help="How long it is held: 8h, 2d, 90m."),
    click.option("--until", metavar="TIME", help="Until when: 2027-01-31T18:00:00Z."),
    click.option("--count", type=int, metavar="N", help="So many nodes at once, or none: a set."),
    click.option("--min-count", type=int, metavar="N", help="With --count, so many at least are enough."),
    click.option("--same", metavar="PLACE", help="With --count, what all share: zone, rack, pool, fabric."),
    click.option("--address", multiple=True, metavar="SUBNET=IP", help="A fixed address to have in a subnet."),
    click.option("--note", metavar="TEXT", help="A remark for people."),
    click.option("--annotation", multiple=True, metavar="KEY=VALUE", help="For you and your tools."),
    click.option("--no-deploy", is_flag=True, help="Acquire only; metalpool deploy installs later."),
    click.option("--request", type=click.File("r"), metavar="FILE", help="JSON as the API takes it; options win over it."),
)


def _with(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def deployment_options(command: F) -> F:
    """The options of what is installed, and who may log in."""
    return _with(_DEPLOYMENT, command)


def request_options(command: F) -> F:
    """The options of a whole request."""
    return wanted_options(deployment_options(_with(_HOLDING, command)))


def deployment(given: Mapping[str, Any]) -> Document:
    """What a deployment needs to know, as far as it was said."""
    asked = {key: given[key] for key in ("image", "hostname", "root_disk") if given[key]}
    who = _credentials(given)
    return {**asked, "credentials": who} if who else asked


def request(given: Mapping[str, Any], *, queue: bool = False, queue_timeout: str | None = None) -> Document:
    """What the service is asked for."""
    asked = _from_file(given["request"]) if given["request"] else {}
    said = wanted(given)
    asked["constraints"] = asked.get("constraints", {}) | said.pop("constraints")
    asked |= said | {key: given[key] for key in _SAID if given[key]} | deployment(given)
    for key, option in (("addresses", "address"), ("annotations", "annotation")):
        if given[option]:
            asked[key] = asked.get(key, {}) | pairs(given[option], f"--{option}")
    if given["no_deploy"]:
        asked["deploy"] = False
    if queue:
        asked["wait"] = True
    if queue_timeout:
        asked["wait_timeout"] = queue_timeout
    return asked


def plan(api: Api, asked: Document) -> Document:
    """What a request would get now; nothing is written."""
    wish = {"credentials": {}} | {key: value for key, value in asked.items() if key not in _NOT_PLANNED}
    answer: Document = post_with_keys(api, "/allocation-plans", wish).json
    return answer


def post_with_keys(api: Api, path: str, asked: Document, key: str | None = None) -> Answer:
    """POST, and when the service says that nobody could log in, again with the keys in ~/.ssh."""
    try:
        return api.post(path, asked, key)
    except Refused as refusal:
        field = refusal.problem.get("field")
        keys = default_keys() if field == "credentials.ssh_keys" and refusal.problem.get("value", "") in ([], None) else []
        if not keys:
            raise
    who = asked.get("credentials", {}) | {"ssh_keys": keys}
    return api.post(path, asked | {"credentials": who}, key)


def _credentials(given: Mapping[str, Any]) -> Document:
    keys = [key.strip() for key in given["ssh_key"]]
    for path in given["ssh_key_file"]:
        keys += read_keys(path)
    who: Document = {"user": given["user"]} if given["user"] else {}
    if keys:
        who["ssh_keys"] = list(dict.fromkeys(keys))
    if given["password_hash_file"]:
        who["password_hash"] = given["password_hash_file"].read().strip()
    if given["user_data"]:
        who["user_data"] = given["user_data"].read()
    return who


def _from_file(file: IO[str]) -> Document:
    try:
        document = json.load(file)
    except ValueError as error:
        raise Misused(f"--request {file.name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Misused(f"--request {file.name} has to be an object, such as {{\"constraints\": {{\"mem\": \"32G\"}}}}")
    return document
