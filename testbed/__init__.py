"""A whole Metalpool with a virtual rack on this machine: what the demo, the end-to-end tests and the benchmarks stand on."""
