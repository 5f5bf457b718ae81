"""What a transaction sets free: before it is committed, those who wait in line are offered it (``line.serve``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

_KEY = "offers"


@dataclass
class Offers:
    """Nodes that may be free now, and users who may take more now, by their ids."""

    nodes: dict[int, None] = field(default_factory=dict)
    users: dict[int, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.nodes or self.users)


def offers(session: Session) -> Offers:
    """What this transaction has set free so far."""
    found = session.info.setdefault(_KEY, Offers())
    if not isinstance(found, Offers):
        raise TypeError("the session's offers are not its own")
    return found


def offer_node(session: Session, node_id: int) -> None:
    """A node became ready, or it is ready and became another: whoever waits may want it."""
    offers(session).nodes[node_id] = None


def offer_user(session: Session, user_id: int) -> None:
    """A user's quota has more room: what the user waits for may be had now."""
    offers(session).users[user_id] = None
