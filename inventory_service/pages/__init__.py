"""The plain read-only pages: nodes and operations, for people."""
