"""The typed tables. They know nothing of HTTP and hold no rules."""

from inventory_service.models.allocation import Allocation, AllocationPool
from inventory_service.models.base import Base
from inventory_service.models.bmc import Bmc
from inventory_service.models.boot import Boot, PhoneHome
from inventory_service.models.credentials import LoginSession, Password, Token
from inventory_service.models.enlistment import Enlistment
from inventory_service.models.hardware import Device, Disk, DiskTag, Interface, InterfaceTag, NodeFacts, NumaNode
from inventory_service.models.idempotency import IdempotencyKey
from inventory_service.models.image import Image
from inventory_service.models.networks import Address, AddressRange, Fabric, Space, Subnet, Vlan
from inventory_service.models.node import ALIKE, NODE, NODES, Node, NodeTag
from inventory_service.models.operation import Operation, OperationLine, OperationStep
from inventory_service.models.people import Grant, Group, GroupMember, Quota, SshKey, User
from inventory_service.models.places import Pool, Rack, Zone
from inventory_service.models.rates import RateCount
from inventory_service.models.records import Erasure, Event, Failure, ScriptResult
from inventory_service.models.tag import Tag
from inventory_service.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "ALIKE",
    "NODE",
    "NODES",
    "Address",
    "AddressRange",
    "Allocation",
    "AllocationPool",
    "Base",
    "Bmc",
    "Boot",
    "Device",
    "Disk",
    "DiskTag",
    "Enlistment",
    "Erasure",
    "Event",
    "Fabric",
    "Failure",
    "Grant",
    "Group",
    "GroupMember",
    "IdempotencyKey",
    "Image",
    "Interface",
    "InterfaceTag",
    "LoginSession",
    "Node",
    "NodeFacts",
    "NodeTag",
    "NumaNode",
    "Operation",
    "OperationLine",
    "OperationStep",
    "Password",
    "PhoneHome",
    "Pool",
    "Quota",
    "Rack",
    "RateCount",
    "ScriptResult",
    "Space",
    "SshKey",
    "Subnet",
    "Tag",
    "Token",
    "User",
    "Vlan",
    "Webhook",
    "WebhookDelivery",
    "Zone",
]
