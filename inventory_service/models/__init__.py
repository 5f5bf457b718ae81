"""The typed tables. They know nothing of HTTP and hold no rules."""

from inventory_service.models.allocation import Allocation
from inventory_service.models.base import Base
from inventory_service.models.bmc import Bmc
from inventory_service.models.boot import Boot, PhoneHome
from inventory_service.models.enlistment import Enlistment
from inventory_service.models.hardware import Disk, Interface, NodeFacts
from inventory_service.models.image import Image
from inventory_service.models.node import Node, NodeTag
from inventory_service.models.operation import Operation, OperationLine, OperationStep
from inventory_service.models.people import SshKey, Token, User
from inventory_service.models.places import Pool, Rack, Zone
from inventory_service.models.records import Erasure, Event, ScriptResult

__all__ = [
    "Allocation",
    "Base",
    "Bmc",
    "Boot",
    "Disk",
    "Enlistment",
    "Erasure",
    "Event",
    "Image",
    "Interface",
    "Node",
    "NodeFacts",
    "NodeTag",
    "Operation",
    "OperationLine",
    "OperationStep",
    "PhoneHome",
    "Pool",
    "Rack",
    "ScriptResult",
    "SshKey",
    "Token",
    "User",
    "Zone",
]
