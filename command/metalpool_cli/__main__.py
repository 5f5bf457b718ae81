"""``python -m metalpool_cli`` is the metalpool command."""

from metalpool_cli.main import main

main()
