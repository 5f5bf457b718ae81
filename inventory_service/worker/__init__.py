"""The rack's worker: a client of the API that claims operations and runs the collection's playbooks for them."""
