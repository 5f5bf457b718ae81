"""The one language in which lists are filtered and sorted, for the API, the command line and the browser."""

from inventory_service.filters.allocations import ALLOCATIONS
from inventory_service.filters.events import EVENTS
from inventory_service.filters.listed import Listed
from inventory_service.filters.nodes import NODES
from inventory_service.filters.operations import OPERATIONS
from inventory_service.filters.sorting import Order
from inventory_service.filters.terms import Term

__all__ = ["ALLOCATIONS", "EVENTS", "NODES", "OPERATIONS", "Listed", "Order", "Term"]
