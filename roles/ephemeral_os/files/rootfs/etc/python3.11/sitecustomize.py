"""Ansible sends its modules as source in a zip file, and Python compiles all of it anew at each call, which takes a slow machine
seconds. What was compiled when this system was built is found here by the hash of its source (as PEP 552 has it), so that
code of another version is compiled as ever.
"""

import _imp
import marshal
import zipimport

COMPILED = "/usr/lib/metalpool/compiled"
KEY = 0


def _compile(pathname, source):
    try:
        with open(f"{COMPILED}/{_imp.source_hash(KEY, source).hex()}", "rb") as known:
            return marshal.load(known)  # noqa: S302  (written with the image that this file is part of)
    except OSError:
        return _compile_anew(pathname, source)


_compile_anew = zipimport._compile_source
zipimport._compile_source = _compile
