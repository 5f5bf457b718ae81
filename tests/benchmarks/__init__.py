"""``make bench-pool``: the figures of the pool in docs/benchmarks.md, each beside something measured in the same run."""
