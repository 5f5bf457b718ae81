"""Errors that the service answers with: each is a problem document of RFC 9457."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Problem(Exception):
    """An error that a client may see.

    :param detail: what is wrong with this very request, and what to do next
    :param extensions: further members of the problem document (RFC 9457, section 3.2)
    """

    status = 500
    type = "internal-error"
    title = "The service failed"

    def __init__(self, detail: str, **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions

    def document(self, request_id: str | None = None) -> dict[str, Any]:
        """The body of the answer (``application/problem+json``)."""
        body: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if request_id:
            body["request_id"] = request_id
        return body | self.extensions


class Malformed(Problem):
    status = 400
    type = "malformed"
    title = "The request cannot be read"


class NotJson(Problem):
    status = 415
    type = "not-json"
    title = "The request's body is not JSON"


class Unauthenticated(Problem):
    status = 401
    type = "unauthenticated"
    title = "A valid API token is needed"


class Forbidden(Problem):
    status = 403
    type = "forbidden"
    title = "This token may not do that"


class NotFound(Problem):
    status = 404
    type = "not-found"
    title = "There is no such thing"

    def __init__(self, what: str, name: object, **extensions: Any) -> None:
        super().__init__(f"there is no {what} {str(name)!r}", field=what, value=str(name), **extensions)


class Outdated(Problem):
    status = 412
    type = "outdated"
    title = "It has changed since it was read"


class Gone(Problem):
    status = 410
    type = "gone"
    title = "This is over"


class Conflict(Problem):
    status = 409
    type = "conflict"
    title = "The present state does not allow that"


class Overtaken(Conflict):
    """Another request changed the same thing at the same moment; the service asks again by itself first."""


class StaleEpoch(Conflict):
    type = "stale-epoch"
    title = "The operation is held by a newer claim"


class OperationEnded(Conflict):
    type = "operation-ended"
    title = "The operation has ended"


class OperationRunning(Conflict):
    type = "operation-running"
    title = "Another operation is under way on this node"


class NothingFits(Conflict):
    type = "nothing-fits"
    title = "No node fits"


class QuotaUsedUp(Conflict):
    type = "quota-used-up"
    title = "The quota is used up"


class NoAddress(Conflict):
    type = "no-address"
    title = "A subnet has no free address left"


class AmbiguousRootDisk(Conflict):
    type = "ambiguous-root-disk"
    title = "The disk to install on must be named"


class Invalid(Problem):
    """A value that the service does not accept."""

    status = 422
    type = "invalid"
    title = "A value is not acceptable"

    def __init__(self, field: str, value: object, why: str, allowed: Iterable[object] | str | None = None) -> None:
        extensions: dict[str, Any] = {"field": field, "value": value}
        if allowed is not None:
            extensions["allowed"] = allowed if isinstance(allowed, str) else [str(one) for one in allowed]
        super().__init__(f"{field}: {why}", **extensions)


class TooMany(Problem):
    status = 429
    type = "too-many"
    title = "Too many requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class Unavailable(Problem):
    status = 503
    type = "unavailable"
    title = "The service cannot answer now"
