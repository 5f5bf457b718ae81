"""The figures of docs/benchmarks.md, each with its floor measured in the same run."""
