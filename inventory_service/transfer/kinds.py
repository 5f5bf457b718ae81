"""All kinds, in an order in which each finds what it names; they are deleted in the opposite order."""

from __future__ import annotations

from inventory_service.transfer.kind import Kind
from inventory_service.transfer.networks import RESERVED, SUBNETS, VLANS
from inventory_service.transfer.nodes import NODES
from inventory_service.transfer.people import GRANTS, GROUPS, USERS
from inventory_service.transfer.places import FABRICS, POOLS, RACKS, SPACES, ZONES
from inventory_service.transfer.quotas import QUOTAS
from inventory_service.transfer.tags import TAGS

KINDS: tuple[Kind, ...] = (
    RACKS,
    SPACES,
    FABRICS,
    VLANS,
    SUBNETS,
    ZONES,
    POOLS,
    USERS,
    GROUPS,
    GRANTS,
    QUOTAS,
    TAGS,
    NODES,
    RESERVED,
)
