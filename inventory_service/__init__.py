"""The inventory service of Metalpool: the pool, the allocations, the operations, the boot endpoints, the REST API."""

__version__ = "0.1.0"
