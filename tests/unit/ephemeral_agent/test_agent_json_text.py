"""The agent's JSON is everybody's JSON."""

import json

import pytest
from metalpool_agent import json_text

DOCUMENT = {"key": "ssh \"x\" \\ \n \u00e4 \U0001f600", "none": None, "yes": True, "no": False, "number": -7,
            "list": ["a", {"b": []}], "empty": {}}


def test_what_it_writes_others_read():
    text = json_text.encode(DOCUMENT)
    assert text.isascii() and json.loads(text) == DOCUMENT


def test_what_others_write_it_reads():
    for text in (json.dumps(DOCUMENT), json.dumps(DOCUMENT, indent=2, ensure_ascii=False), f" {json.dumps(DOCUMENT)}\n"):
        assert json_text.decode(text) == DOCUMENT


@pytest.mark.parametrize("text", ["", "<html>", '{"a":', "{'a': 1}"])
def test_what_is_none(text):
    with pytest.raises(ValueError):
        json_text.decode(text)


def test_what_it_cannot_write():
    with pytest.raises(TypeError, match="bytes is not JSON"):
        json_text.encode({"a": b"x"})
