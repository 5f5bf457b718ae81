# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated BMCs for tests: one ipmi_sim process each, on an address of 127.0.0.0/8 of its own.

Power and boot device reach a chassis program that keeps them in files; tests look at those to see what really happened.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
USER, PASSWORD = "admin", "s3cret-of-tests"
_numbers = itertools.count(1)

# Called by ipmi_sim as "PROGRAM STATE get power|boot" and "PROGRAM STATE set NAME VALUE". The file "stuck" keeps
# power as it is, "slow" delays off by that many reads, "deaf" makes the machine ignore the request to shut down.
CHASSIS = r"""#!/bin/sh
state=$1; verb=$2; name=$3; value=$4
[ -e "$state/refuse" ] && exit 1
case "$verb $name" in
  "get power") if [ -s "$state/slow" ]; then
                 left=$(cat "$state/slow"); left=$((left - 1))
                 if [ $left -gt 0 ]; then echo $left > "$state/slow"
                 else rm -f "$state/slow"; mv "$state/pending" "$state/power"; fi
               fi
               echo "power:$(cat "$state/power")" ;;
  "get boot") echo "boot:$(cat "$state/boot")" ;;
  "set power") echo "power $value" >> "$state/log"
               if [ -e "$state/stuck" ]; then exit 0; fi
               if [ -s "$state/slow" ]; then echo "$value" > "$state/pending"
               else echo "$value" > "$state/power"; fi ;;
  "set shutdown") echo "shutdown" >> "$state/log"; [ -e "$state/deaf" ] || echo 0 > "$state/power" ;;
  "set reset") echo "reset" >> "$state/log" ;;
  "set boot") echo "boot $value" >> "$state/log"; echo "$value" > "$state/boot" ;;
  *) echo "$verb $name $value" >> "$state/log" ;;
esac
exit 0
"""

LAN_CONF = """name "sim"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {guid}
  endlan
  chassis_control "{chassis} {state}"
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""

EMULATION = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 {sel_entries} 0x0a
sensor_add 0x20 0 1 1 1
sensor_set_value 0x20 0 1 0x30 0
mc_enable 0x20
"""


class SimulatedBmc:
    """One ipmi_sim; attributes tell how to reach it."""

    def __init__(self, directory: Path, sel_entries: int = 1000) -> None:
        number = next(_numbers)
        self.address = f"127.1.{os.getpid() % 250 + 1}.{number}"
        self.port = 6230
        self.user, self.password = USER, PASSWORD
        self.lock_file = directory.parent / "locks" / f"{self.address}-{self.port}"
        self.state = directory / "state"
        self.state.mkdir(parents=True)
        self.set("power", "0")
        self.set("boot", "none")
        chassis = directory / "chassis"
        chassis.write_text(CHASSIS)
        chassis.chmod(0o755)
        (directory / "lan.conf").write_text(
            LAN_CONF.format(
                address=self.address,
                port=self.port,
                guid=f"a123456789abcdefa1234567{number:08x}",
                chassis=chassis,
                state=self.state,
                user=USER,
                password=PASSWORD,
            )
        )
        (directory / "sim.emu").write_text(EMULATION.format(sel_entries=sel_entries))
        (directory / "persist").mkdir()
        self._command = [
            "ipmi_sim",
            "-c",
            str(directory / "lan.conf"),
            "-f",
            str(directory / "sim.emu"),
            "-s",
            str(directory / "persist"),
            "-n",
        ]
        self._log = directory / "ipmi_sim.log"
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "ipmi_sim does not answer"

    def _answers(self) -> bool:
        """An RMCP presence ping (DSP0136, section 3.2.4) without any session."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0.1)
            with contextlib.suppress(OSError):
                sender.sendto(bytes.fromhex("0600ff06000011be80000000"), (self.address, self.port))
                return bool(sender.recv(100))
            return False

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def get(self, name: str) -> str:
        return (self.state / name).read_text().strip()

    def set(self, name: str, value: str) -> None:
        (self.state / name).write_text(value + "\n")

    def log(self) -> list[str]:
        """What reached the machine, in order."""
        path = self.state / "log"
        return path.read_text().splitlines() if path.exists() else []

    def ipmitool(self, *words: str, check: bool = True) -> str:
        """Ask with another client than the one under test."""
        command = [
            "ipmitool",
            "-I",
            "lanplus",
            "-C",
            "3",
            "-H",
            self.address,
            "-p",
            str(self.port),
            "-U",
            self.user,
            "-E",
            "-N",
            "1",
            "-R",
            "3",
            *words,
        ]
        done = subprocess.run(
            command,
            env={**os.environ, "IPMI_PASSWORD": self.password},
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture(scope="session")
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which this repository is found as metalpool.core."""
    root = tmp_path_factory.mktemp("collections")
    (root / "ansible_collections" / "metalpool").mkdir(parents=True)
    (root / "ansible_collections" / "metalpool" / "core").symlink_to(REPOSITORY)
    return root


@pytest.fixture
def make_bmc(tmp_path: Path):
    """Start BMCs; they end with the test."""
    if shutil.which("ipmi_sim") is None:
        pytest.skip("ipmi_sim is not installed (Debian package openipmi)")
    started: list[SimulatedBmc] = []

    def make(**options) -> SimulatedBmc:
        bmc = SimulatedBmc(tmp_path / f"bmc{len(started)}", **options)
        started.append(bmc)
        bmc.start()
        return bmc

    yield make
    for bmc in started:
        bmc.stop()


class ScriptedBmcProcess(SimulatedBmc):
    """One scripted_bmc.py; it has no chassis program."""

    def __init__(self, directory: Path, **script) -> None:
        super().__init__(directory)
        words = {"address": self.address, "port": self.port, "password": self.password, **script}
        self._command = [sys.executable, str(Path(__file__).with_name("scripted_bmc.py")), json.dumps(words)]

    def _answers(self) -> bool:
        """pyghmi's server does not know presence pings: Get Channel Authentication Capabilities (section 22.13)."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0.1)
            with contextlib.suppress(OSError):
                sender.sendto(
                    bytes.fromhex("0600ff07000000000000000000092018c88100388e04b5"), (self.address, self.port)
                )
                return bool(sender.recv(100))
            return False


@pytest.fixture
def make_scripted_bmc(tmp_path: Path):
    """Start scripted BMCs; they end with the test."""
    started: list[ScriptedBmcProcess] = []

    def make(**script) -> ScriptedBmcProcess:
        target = ScriptedBmcProcess(tmp_path / f"scripted{len(started)}", **script)
        started.append(target)
        target.start()
        return target

    yield make
    for target in started:
        target.stop()


@pytest.fixture
def bmc(make_bmc) -> SimulatedBmc:
    return make_bmc()


class ModuleRun:
    """What a module printed, and how long it took in seconds, with the start of its process."""

    def __init__(self, result: dict, seconds: float) -> None:
        self.result = result
        self.seconds = seconds
        self.failed = bool(result.get("failed"))

    def __getitem__(self, name: str):
        return self.result[name]


@pytest.fixture
def start_module(collections_path: Path, tmp_path: Path):
    """Start a module in a process of its own, as Ansible does; arguments go through stdin."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("METALPOOL_")},
        "PYTHONPATH": str(collections_path),
        "METALPOOL_BMC_LOCK_DIRECTORY": str(tmp_path / "locks"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }

    def start(name: str, /, check: bool = False, env: dict | None = None, **arguments):
        words = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(tmp_path), **arguments}
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", f"ansible_collections.metalpool.core.plugins.modules.{name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment, **(env or {})},
            cwd=tmp_path,
        )
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": words}))
        process.stdin.close()

        def finish() -> ModuleRun:
            process.stdin = None
            out, err = process.communicate(timeout=180)
            try:
                return ModuleRun(json.loads(out), time.monotonic() - began)
            except ValueError:
                raise AssertionError(f"{name} printed no result: {out}\n{err}") from None

        finish.pid = process.pid
        return finish

    return start


@pytest.fixture
def run_module(start_module):
    """Run a module against a BMC and wait for its result."""

    def run(name: str, target: SimulatedBmc | None = None, /, **arguments) -> ModuleRun:
        if target is not None:
            arguments = {
                "bmc_host": target.address,
                "bmc_port": target.port,
                "bmc_user": target.user,
                "bmc_password": target.password,
                **arguments,
            }
        return start_module(name, **arguments)()

    return run


@pytest.fixture
def run_python(collections_path: Path, tmp_path: Path):
    """Run a piece of Python that uses the module utilities, in a process of its own."""

    def run(code: str, *words: str, timeout: float = 120) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**os.environ, "PYTHONPATH": str(collections_path)},
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
        )

    return run
