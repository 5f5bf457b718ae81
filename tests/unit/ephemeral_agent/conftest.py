"""The agent's package is not installed anywhere: it is found where the ephemeral OS takes it from."""

import pathlib
import sys

sys.dont_write_bytecode = True
ROLE = pathlib.Path(__file__).parents[3] / "roles" / "ephemeral_os"
sys.path.insert(0, str(ROLE / "files" / "rootfs" / "usr" / "lib" / "metalpool"))
sys.path.insert(0, str(ROLE / "files"))
