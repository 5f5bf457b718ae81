"""``python -m inventory_service`` is the command ``inventory-service``."""

from inventory_service.cli import main

main(prog_name="inventory-service")
