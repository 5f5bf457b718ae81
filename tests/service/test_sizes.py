"""The grammar of sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_service.sizes import approximate_size, format_size, parse_size


@pytest.mark.parametrize("text", ["32G", "32GiB", "32GB", "32g", " 32 gib ", "32768M", "33554432K", "0.03125T"])
def test_the_same_size_in_many_words(text: str) -> None:
    assert parse_size(text) == 32 << 30


@pytest.mark.parametrize(
    "text", ["", "banana", "-1G", "0G", "G", "1", "1B", "1X", "1e3G", "1,5G", "٣G", "1G\n2G", "9" * 19 + "G"]
)
def test_nonsense_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"32GiB"):
        parse_size(text)


@given(st.integers(min_value=1, max_value=2**50 - 1))
def test_what_is_written_is_read_back(kib: int) -> None:
    assert parse_size(format_size(kib * 1024)) == kib * 1024


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error(text: str) -> None:
    try:
        size = parse_size(text)
    except ValueError:
        return
    assert 0 < size < 2**62


@given(st.integers(min_value=1, max_value=999), st.sampled_from("KMGT"), st.sampled_from(["", "B", "iB", "ib"]))
def test_units_are_binary(number: int, unit: str, rest: str) -> None:
    assert parse_size(f"{number}{unit}{rest}") == number * 1024 ** ("KMGT".index(unit) + 1)


@pytest.mark.parametrize(("size", "text"), [(6 << 30, "6 GiB"), (1536 << 20, "1.5 GiB"), (17, "17 B")])
def test_sizes_for_people(size: int, text: str) -> None:
    assert approximate_size(size) == text
