"""The document as YAML: written so that every YAML library reads it, read as YAML 1.2 means it.

YAML 1.1 takes an unquoted MAC address of digits for a number with the base 60, ``no`` for false and ``017`` for 15; YAML 1.2
does not. Anchors are refused: a few lines of them can mean a document of gigabytes.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from inventory_service.problems import Invalid


class _Loader(yaml.CSafeLoader):
    """YAML's safe types, by the core schema of YAML 1.2 (section 10.3.2) without floats."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def dump(document: dict[str, Any]) -> str:
    """The document as text, in its own order."""
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, default_flow_style=False)


def load(text: bytes | str) -> dict[str, Any]:
    """The document in a text of YAML, or of JSON, which is YAML too.

    :raises Invalid: it is none (says line and column), or not a mapping
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise Invalid("document", None, "aliases are not read: write what they stand for")
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise Invalid("document", None, f"it is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise Invalid("document", None, "it has to be a mapping", "what GET /api/v1/inventory-export answers")
    return document
