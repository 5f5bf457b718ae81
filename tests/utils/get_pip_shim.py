"""Stands in for get-pip.py where the network has only a package index: ansible-test downloads that file otherwise.

``python tests/utils/get_pip_shim.py --install`` puts a copy of this file where ansible-test looks first. Run as
get-pip.py, it installs pip from the wheel that Python itself has in ensurepip, or that Debian keeps beside it.
"""

from __future__ import annotations

import ensurepip
import glob
import os
import runpy
import shutil
import sys

# The versions of pip that ansible-core 2.19, 2.20 and 2.21 ask for.
NAMES = ("get_pip_24_2.py", "get_pip_25_2.py")
CACHE = os.path.expanduser("~/.ansible/test/cache")

if sys.argv[1:] == ["--install"]:
    os.makedirs(CACHE, exist_ok=True)
    for name in NAMES:
        shutil.copyfile(__file__, os.path.join(CACHE, name))
else:
    places = (os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), "/usr/share/python-wheels")
    bundled = [wheel for place in places for wheel in glob.glob(os.path.join(place, "pip-*.whl"))]
    if not bundled:
        raise ImportError("this Python has no wheel of pip in ensurepip; install the package python3-venv")
    sys.path.insert(0, bundled[0])
    sys.argv = ["pip", "install", *(word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel"))]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
