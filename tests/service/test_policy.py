"""Rules about the code itself: who may use what, what imports what, and that the API's document is current."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from inventory_service.api.authentication import authentication_of
from inventory_service.app import BLUEPRINTS
from inventory_service.document import openapi_document
from tests.service.world import World

PACKAGE = Path(__file__).parents[2] / "inventory_service"
DOCUMENT = PACKAGE.parent / "docs" / "openapi.json"
WITHOUT_TOKEN = {"login": "open", "boot": "proof", "pages": "session", "health": "nothing"}

# What stands lower knows nothing of what stands higher.
LAYERS = (
    ("shared_metrics",),
    ("metrics", "logs"),
    ("clock", "ip", "problems", "sizes", "steps", "changes", "secret_tokens", "turns", "sandbox_process", "sandbox", "supervised"),
    ("durations", "outbound"),
    ("config", "vault", "tls"),
    ("models",),
    ("prepared",),
    ("db", "idempotency", "bulk", "rates"),
    ("postgresql",),
    ("relay",),
    ("offers", "cost"),
    ("events", "hostnames", "auth", "tokens", "rights", "people", "places", "services", "states", "root_disk", "images"),
    ("sessions", "passwords"),
    ("sign_in",),
    ("expressions", "constraints"),
    ("annotations", "named", "held_names"),
    ("filters",),
    ("networks", "subnets", "wiring"),
    ("addresses",),
    ("tags",),
    ("queue_orders",),
    ("node_records", "wanted", "apart", "tag_rules"),
    ("policies",),
    ("set_aside", "leases", "quotas", "pools"),
    ("pick",),
    ("verdicts",),
    ("explain", "plan", "refusals"),
    ("allocate", "where"),
    ("sets",),
    ("operations",),
    ("enlist", "allocation_requests", "set_requests", "documents", "seed"),
    ("timekeeping", "asking", "figures", "news"),
    ("webhooks",),
    ("courier",),
    ("line",),
    ("process",),
    ("engine",),
    ("engine_process",),
    ("api", "boot", "pages", "transfer"),
    ("app", "stream"),
    ("document", "setup", "serve", "wsgi"),
    ("cli",),
    ("__main__",),
)


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for part in ast.walk(ast.parse(file.read_text())):
        if isinstance(part, ast.Import):
            found |= {name.name for name in part.names}
        elif isinstance(part, ast.ImportFrom) and part.module:
            found |= {f"{part.module}.{name.name}" for name in part.names} | {part.module}
    return found


def _files() -> list[Path]:
    return [
        file for file in sorted(PACKAGE.rglob("*.py")) if "worker" not in file.parts and "migrations" not in file.parts
    ]


def _layer(module: str) -> int | None:
    part = module.split(".")[1] if module.startswith("inventory_service.") else ""
    return next((number for number, names in enumerate(LAYERS) if part in names), None)


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nothing_imports_upward(file: Path) -> None:
    module = ".".join(("inventory_service", *file.relative_to(PACKAGE).with_suffix("").parts))
    own = _layer(module)
    if module == "inventory_service.__init__":
        return
    assert own is not None, f"{module} stands in no layer"
    for imported in _imports(file):
        layer = _layer(imported)
        assert layer is None or layer <= own, f"{module}: {imported}"


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_service_imports_no_ansible_and_one_file_imports_dbos(file: Path) -> None:
    for imported in _imports(file):
        top = imported.split(".")[0]
        assert top not in ("ansible", "ansible_collections", "plugins")
        assert top != "dbos" or file.name == "engine.py"
        assert top != "ansible_runner" or "worker" in file.parts


def test_rules_know_nothing_of_http() -> None:
    for file in _files():
        if file.relative_to(PACKAGE).parts[0] in ("api", "boot", "pages", "app.py", "wsgi.py", "document.py"):
            continue
        assert not {name.split(".")[0] for name in _imports(file)} & {"flask", "apiflask", "werkzeug"}, file


def test_only_advance_writes_a_nodes_state() -> None:
    for file in _files():
        text = file.read_text()
        assert not re.search(r"\bnode\.state\s*=[^=]", text), file
        assert file.name in ("states.py", "cost.py") or not re.search(r"update\((Node|NODES)\)", text), file


def test_every_blueprint_says_who_may_use_it() -> None:
    for blueprint in BLUEPRINTS:
        declared = authentication_of(blueprint)
        assert declared is not None, blueprint.name
        assert declared.kind == WITHOUT_TOKEN.get(blueprint.name, "token"), blueprint.name
        assert declared.kind == "token" or declared.why


def _rules(world: World) -> list[tuple[str, str, str]]:
    return [
        (method, re.sub(r"<[^>]+>", "x", re.sub(r"<int:[^>]+>", "1", rule.rule)), rule.endpoint)
        for rule in world.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_nothing_of_the_api_answers_without_a_token(still_world: World) -> None:
    for method, path, endpoint in _rules(still_world):
        if not path.startswith("/api/") or endpoint.startswith("login."):
            continue
        for token in (None, "mp_guessed"):
            answer = still_world.call(method, path.removeprefix("/api/v1"), token=token)
            assert answer.status_code == 401, endpoint
            assert answer.content_type == "application/problem+json"


def test_every_page_asks_to_sign_in(still_world: World) -> None:
    with still_world.app.test_client() as client:
        for method, path, endpoint in _rules(still_world):
            if endpoint.startswith("pages.") and endpoint not in ("pages.login", "pages.sign_in", "pages.static"):
                answer = client.open(path, method=method)
                assert (answer.status_code, answer.location) == (302, "/login"), endpoint


def test_only_health_and_boot_are_open(still_world: World) -> None:
    known = ("/api/", "/boot/", "/static/")
    others = {
        path
        for _method, path, endpoint in _rules(still_world)
        if not path.startswith(known) and "pages." not in endpoint
    }
    assert others == {"/healthz", "/readyz", "/metrics", "/openapi.json"}
    assert still_world.call("GET", "/metrics", token=None).status_code == 401


def test_the_apis_document_is_current() -> None:
    assert DOCUMENT.read_text() == openapi_document(), "run: inventory-service openapi --output docs/openapi.json"


def test_the_apis_document_is_openapi() -> None:
    import json

    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(json.loads(openapi_document()))
