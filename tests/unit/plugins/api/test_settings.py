"""Where the settings of the connection come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.metalpool.core.plugins.module_utils._settings import SettingsError, resolve


@pytest.fixture
def profile(tmp_path: Path) -> dict[str, str]:
    """An environment with a profile file."""
    directory = tmp_path / "metalpool"
    directory.mkdir()
    (directory / "config.toml").write_text('url = "https://pool.example"\ntoken = "of-the-profile"\n', encoding="utf-8")
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_the_profile_is_enough(profile: dict[str, str]) -> None:
    found = resolve(environ=profile)
    assert (found.url, found.token) == ("https://pool.example", "of-the-profile")


def test_options_win_over_environment_over_profile(profile: dict[str, str]) -> None:
    environ = {**profile, "METALPOOL_TOKEN": "of-the-environment"}
    assert resolve(environ=environ).token == "of-the-environment"
    assert resolve({"token": "of-the-options"}, environ=environ).token == "of-the-options"
    assert resolve({"token": None}, {"token": "of-the-variable"}, environ=environ).token == "of-the-variable"


def test_a_token_is_not_sent_to_a_server_it_was_not_meant_for(profile: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"no API token for https://elsewhere\.example"):
        resolve({"url": "https://elsewhere.example"}, environ=profile)
    assert resolve({"url": "https://pool.example/api/v1/"}, environ=profile).token == "of-the-profile"


def test_a_token_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mp_x\n", encoding="utf-8")
    environ = {
        "XDG_CONFIG_HOME": str(tmp_path),
        "METALPOOL_URL": "https://a.example",
        "METALPOOL_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert resolve(environ=environ).token == "mp_x"
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="is empty"):
        resolve(environ=environ)


@pytest.mark.parametrize("url", ["pool.example", "ftp://pool.example", "https://", "http://pool.example"])
def test_a_bad_url_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="url="):
        resolve({"url": url, "token": "x"}, environ={"XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.0.0.1:8080"])
def test_plain_http_is_for_this_host_only(url: str, tmp_path: Path) -> None:
    assert resolve({"url": url, "token": "x"}, environ={"XDG_CONFIG_HOME": str(tmp_path)}).url == url


def test_nothing_given_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="METALPOOL_URL"):
        resolve(environ={"XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize("text", ["url = ", 'colour = "red"', "url = 3"])
def test_a_profile_with_a_mistake_is_an_error(profile: dict[str, str], text: str) -> None:
    Path(profile["XDG_CONFIG_HOME"], "metalpool", "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.toml"):
        resolve(environ=profile)


def test_a_missing_ca_file_is_named(profile: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="ca_file=/none"):
        resolve({"ca_file": "/none"}, environ=profile)


def test_the_token_is_not_in_the_representation(profile: dict[str, str]) -> None:
    assert "of-the-profile" not in repr(resolve(environ=profile))
