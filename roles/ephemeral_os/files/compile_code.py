"""Compile the Python sources below DIRECTORY for ``sitecustomize``, with the Python that runs this.

Usage: compile_code.py DIRECTORY COMPILED
"""

import _imp
import marshal
import pathlib
import sys

KEY = 0  # as in sitecustomize.py


def main(directory: pathlib.Path, compiled: pathlib.Path) -> None:
    compiled.mkdir(parents=True)
    for file in sorted(directory.rglob("*.py")):
        source = file.read_bytes()
        name = str(file.relative_to(directory))
        code = compile(source.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), name, "exec", dont_inherit=True)
        (compiled / _imp.source_hash(KEY, source).hex()).write_bytes(marshal.dumps(code))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
