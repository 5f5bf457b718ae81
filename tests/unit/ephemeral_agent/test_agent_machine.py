"""Files of the kernel's, and the file that lets the worker in."""

import os
import stat

from metalpool_agent import files, network, ssh


def make_link(net, name, kind, mac, device=True):
    (net / name).mkdir()
    (net / name / "type").write_text(f"{kind}\n")
    (net / name / "address").write_text(f"{mac}\n")
    if device:
        (net / name / "device").mkdir()


def test_only_ethernet_with_a_device_is_a_link(tmp_path):
    make_link(tmp_path, "lo", 772, "00:00:00:00:00:00", device=False)
    make_link(tmp_path, "ib0", 32, "80:00")
    make_link(tmp_path, "bond0", 1, "02:00:00:00:00:01", device=False)
    make_link(tmp_path, "eno1", 1, "52:54:00:AB:00:01")
    assert network.links(str(tmp_path)) == {"eno1": "52:54:00:ab:00:01"}


def test_a_file_that_is_not_there_is_empty(tmp_path):
    assert files.read(str(tmp_path / "none")) == ""


def test_keys_are_replaced_and_private(tmp_path):
    path = tmp_path / ".ssh" / "authorized_keys"
    ssh.authorize(["one\n", "two"], str(path))
    ssh.authorize(["three"], str(path))
    assert path.read_text() == "three\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
