"""The ways to sign in: one table. A way proves who somebody is; the session is the same whichever it was.

These ask for what is typed. One that sends the browser to another service and back (OpenID Connect) has no ``fields``: its
own view takes the answer, finds the user, and calls ``let_in`` as ``sign_in`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from inventory_service.auth import caller_of
from inventory_service.events import record
from inventory_service.models import LoginSession, Password, User
from inventory_service.passwords import is_right
from inventory_service.problems import Invalid, Unauthenticated
from inventory_service.services import Services
from inventory_service.sessions import begin_session


@dataclass(frozen=True)
class Proof:
    """Who somebody is, and the token that says so, if one does."""

    user_id: int
    token_id: int | None = None


@dataclass(frozen=True)
class Browser:
    """Where somebody signs in.

    :param before: the secret of the session that it had
    """

    address: str
    agent: str
    before: str | None


@dataclass(frozen=True)
class Method:
    """A way to sign in.

    :param label: what people call it
    :param fields: what is typed
    :param prove: who that is; None when it is nobody
    """

    label: str
    fields: tuple[str, ...]
    prove: Callable[[Services, Mapping[str, str]], Proof | None]


def _by_password(services: Services, said: Mapping[str, str]) -> Proof | None:
    query = select(User.id, Password.argon2).join(Password, Password.user_id == User.id)
    with services.database.read() as session:
        found = session.execute(query.where(User.name == said["user"], User.disabled_at.is_(None))).one_or_none()
    user_id, kept = (found[0], found[1]) if found else (None, None)
    with services.running.away():
        right = is_right(kept, said["password"])
    return Proof(user_id) if right and user_id is not None else None


def _by_token(services: Services, said: Mapping[str, str]) -> Proof | None:
    try:
        who = caller_of(services.database, said["token"].strip())
    except Unauthenticated:
        return None
    return Proof(who.user_id, who.token_id)


METHODS: Mapping[str, Method] = {
    "password": Method("User and password", ("user", "password"), _by_password),
    "token": Method("API token", ("token",), _by_token),
}


def sign_in(services: Services, method: str, said: Mapping[str, str], browser: Browser) -> tuple[LoginSession, str]:
    """Sign somebody in, with the session's secret.

    :raises Invalid: there is no such way, or something is not said
    :raises Unauthenticated: it is nobody; which part is wrong is not told
    """
    way = METHODS.get(method)
    if way is None:
        raise Invalid("method", method, f"{method!r} is no way to sign in", METHODS)
    for field in way.fields:
        if not said.get(field):
            raise Invalid(field, None, "it is needed to sign in", f"the fields of {method}: {', '.join(way.fields)}")
    proof = way.prove(services, said)
    if proof is None:
        with services.database.write() as session:
            record(session, "security.login-refused", f"login {browser.address}", method=method)
        raise Unauthenticated("this is nobody who may sign in")
    return let_in(services, method, proof, browser)


def let_in(services: Services, method: str, proof: Proof, browser: Browser) -> tuple[LoginSession, str]:
    """Begin the session of somebody who has proved who it is."""
    with services.database.write() as session:
        user = session.scalar(select(User).where(User.id == proof.user_id, User.disabled_at.is_(None)))
        if user is None:
            raise Unauthenticated("this is nobody who may sign in")
        return begin_session(
            session, services.settings, user, method,
            token_id=proof.token_id, address=browser.address, agent=browser.agent, before=browser.before,
        )  # fmt: skip
