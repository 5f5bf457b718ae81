# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session per BMC at a time, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

OPEN_AND_HOLD = """
import sys, time
from ansible_collections.metalpool.core.plugins.module_utils._bmc import BmcOptions, bmc_session
host, port, password, locks, count, hold = sys.argv[1:]
options = BmcOptions(host, "admin", password, int(port), 20, "3", locks)
spent = []
for _number in range(int(count)):
    began = time.monotonic()
    with bmc_session(options) as bmc:
        bmc.raw(0, 1)
        print("in", time.monotonic(), flush=True)
        time.sleep(float(hold))
        print("out", time.monotonic(), flush=True)
    spent.append(time.monotonic() - began)
print("median", sorted(spent)[len(spent) // 2], "max", max(spent))
"""


LEAK = """
import sys
from pyghmi.ipmi.command import Command
print(Command(sys.argv[1], b"admin", sys.argv[3].encode(), port=int(sys.argv[2])).get_power())
"""


def test_without_logging_out_slots_run_out(make_scripted_bmc, run_python):
    """That the tests below prove anything: the BMC does count sessions."""
    bmc = make_scripted_bmc(slots=2)
    words = [bmc.address, str(bmc.port), bmc.password]
    suite3 = "from pyghmi.ipmi.private import session as s\nold = s.Session._initsession\n"
    suite3 += "s.Session._initsession = lambda self: (old(self), setattr(self, 'attemptedhash', 1))\n"
    assert [run_python(suite3 + LEAK, *words).returncode for _number in range(3)] == [0, 0, 1]


def test_forty_sessions_in_a_row_on_a_bmc_with_one_slot(make_scripted_bmc, run_python, tmp_path):
    bmc = make_scripted_bmc(slots=1)
    run = run_python(OPEN_AND_HOLD, bmc.address, str(bmc.port), bmc.password, str(tmp_path / "locks"), "40", "0")
    assert run.returncode == 0, run.stderr
    assert "System Power" in bmc.ipmitool("chassis", "status")


def test_forty_modules_in_a_row(bmc, run_module):
    spent = [run_module("bmc_info", bmc) for _number in range(40)]
    assert not any(run.failed for run in spent)
    print("median", sorted(run.seconds for run in spent)[20], "s a module")


def test_ten_modules_in_a_row_on_a_bmc_with_one_slot(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(slots=1)
    for _number in range(10):
        assert not run_module("bmc_info", bmc, bmc_cipher_suite="3").failed


def test_two_programs_take_turns(bmc, collections_path, tmp_path):
    words = [sys.executable, "-c", OPEN_AND_HOLD, bmc.address, str(bmc.port), bmc.password, str(tmp_path / "locks")]
    started = [
        subprocess.Popen(
            [*words, "4", "0.1"],
            env={**os.environ, "PYTHONPATH": str(collections_path)},
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        for _number in range(2)
    ]
    marks = []
    for process in started:
        out, _err = process.communicate(timeout=60)
        assert process.returncode == 0
        marks += [(float(line.split()[1]), line.split()[0]) for line in out.splitlines() if line[0] in "io"]
    assert len(marks) == 16
    assert [kind for _when, kind in sorted(marks)] == ["in", "out"] * 8


def test_modules_at_once_are_serialized(bmc, start_module):
    arguments = {
        "bmc_host": bmc.address,
        "bmc_port": bmc.port,
        "bmc_user": bmc.user,
        "bmc_password": bmc.password,
    }
    running = [start_module("bmc_power", state=state, **arguments) for state in ("on", "reset", "on", "reset")]
    running += [start_module("bmc_info", **arguments) for _number in range(4)]
    for finish in running:
        run = finish()
        assert not run.failed, run.result


def test_waiting_for_a_turn_ends_and_names_the_holder(bmc, start_module, run_module):
    arguments = {
        "bmc_host": bmc.address,
        "bmc_port": bmc.port,
        "bmc_user": bmc.user,
        "bmc_password": bmc.password,
    }
    os.kill(bmc.pid, signal.SIGSTOP)
    try:
        holder = start_module("bmc_info", timeout=15, **arguments)
        lock = bmc.lock_file
        deadline = time.monotonic() + 10
        while not (lock.exists() and lock.read_text().strip() == f"pid {holder.pid}"):
            assert time.monotonic() < deadline
        run = run_module("bmc_info", bmc, timeout=2)
    finally:
        os.kill(bmc.pid, signal.SIGCONT)
    assert run.failed
    assert run["bmc_error"] == "busy"
    assert f"pid {holder.pid}" in run["msg"]
    assert run.seconds < 8
    holder()


def test_lock_of_a_killed_program_is_free(bmc, start_module, run_module):
    os.kill(bmc.pid, signal.SIGSTOP)
    try:
        arguments = {"bmc_host": bmc.address, "bmc_port": bmc.port, "bmc_user": bmc.user, "bmc_password": bmc.password}
        holder = start_module("bmc_info", **arguments)
        deadline = time.monotonic() + 10
        while not (bmc.lock_file.exists() and bmc.lock_file.read_text().strip() == f"pid {holder.pid}"):
            assert time.monotonic() < deadline
        os.kill(holder.pid, signal.SIGKILL)
    finally:
        os.kill(bmc.pid, signal.SIGCONT)
    run = run_module("bmc_info", bmc)
    assert not run.failed
    assert run.seconds < 10


def test_deadline_in_the_middle_logs_out(make_scripted_bmc, run_python, tmp_path):
    """Ten conversations that are cut off by their deadline, on a BMC with one slot: all ten get in."""
    bmc = make_scripted_bmc(slots=1)
    code = """
import sys, time
from ansible_collections.metalpool.core.plugins.module_utils._bmc import BmcOptions, bmc_session
from ansible_collections.metalpool.core.plugins.module_utils._bmc_errors import BmcTimeout
options = BmcOptions(sys.argv[1], "admin", sys.argv[3], int(sys.argv[2]), 1.2, "3", sys.argv[4])
for _number in range(10):
    began = time.monotonic()
    try:
        with bmc_session(options) as bmc:
            while True:
                bmc.raw(0, 1)
    except BmcTimeout:
        assert time.monotonic() - began < 2.5, time.monotonic() - began
    else:
        raise AssertionError("no deadline")
"""
    run = run_python(code, bmc.address, str(bmc.port), bmc.password, str(tmp_path / "locks"))
    assert run.returncode == 0, run.stderr


def test_error_in_the_middle_logs_out(make_scripted_bmc, run_module):
    bmc = make_scripted_bmc(slots=1, interlock=True)
    for _number in range(3):
        assert run_module("bmc_power", bmc, state="on", bmc_cipher_suite="3")["bmc_error"] == "refused"
    assert not run_module("bmc_info", bmc, bmc_cipher_suite="3").failed
