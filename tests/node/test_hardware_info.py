"""hardware_info on the machine that runs the tests: the document's shape, and that nothing makes it crash."""

from __future__ import annotations

import os

import pytest

SHAPE = {
    "system": {"vendor", "product", "serial", "uuid"},
    "firmware": {"kind", "vendor", "version", "date", "secure_boot"},
    "cpu": {"arch", "model", "sockets", "cores", "threads", "mhz_max"},
    "memory": {"bytes", "usable_bytes", "modules"},
    "tpm": {"present", "version"},
    "boot": {"order", "entries"},
}
ITEMS = {
    "numa": {"node", "cpus", "memory_bytes"},
    "usb": {"bus", "vendor_id", "device_id", "product"},
    "disks": {
        "name",
        "path",
        "model",
        "serial",
        "wwn",
        "size_bytes",
        "kind",
        "rotational",
        "transport",
        "wear_percent",
        "logical_block_bytes",
    },
    "interfaces": {"name", "mac", "driver", "speed_mbps", "link", "pci_address", "addresses", "lldp"},
    "pci": {"address", "class", "class_name", "vendor_id", "device_id", "vendor", "device", "driver"},
}


def assert_shape(facts: dict) -> None:
    assert set(facts) == set(SHAPE) | set(ITEMS) | {"bmc"}
    for part, fields in SHAPE.items():
        assert set(facts[part]) == fields, part
    for part, fields in ITEMS.items():
        assert all(set(item) == fields for item in facts[part]), part


def test_the_document(module) -> None:
    answer = module("hardware_info", check=True)
    assert answer["changed"] is False and answer["problems"] == []
    facts = answer["facts"]
    assert_shape(facts)
    assert facts["cpu"]["threads"] == os.cpu_count()
    assert facts["memory"]["usable_bytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert facts["firmware"]["kind"] == ("uefi" if os.path.isdir("/sys/firmware/efi") else "bios")
    assert not [disk for disk in facts["disks"] if disk["name"].startswith(("loop", "ram", "zram", "sr", "dm-", "md"))]


TOOLS = ("dmidecode", "lspci", "lsusb", "smartctl", "nvme", "ethtool", "lldpcli", "efibootmgr", "ipmitool", "ip")


def test_without_a_single_tool_it_still_answers(module, tool) -> None:
    for name in TOOLS:
        tool(name, "exit 127\n")
    facts = module("hardware_info")["facts"]
    assert_shape(facts)
    assert facts["cpu"]["threads"] == os.cpu_count()
    assert all(device["vendor"] is None and device["vendor_id"] for device in facts["pci"])


def test_with_tools_that_talk_nonsense_it_still_answers(module, tool) -> None:
    for name in TOOLS:
        tool(name, "echo '[1, {\"lldp\": 3}'; echo 'Size: banana'; echo ':::'; exit 3\n")
    assert_shape(module("hardware_info")["facts"])


DMIDECODE = """cat <<'END'
Memory Device
\tTotal Width: 72 bits
\tSize: 16 GB
\tLocator: DIMM_A1
\tType: DDR4
\tSpeed: 3200 MT/s
\tManufacturer: Samsung
\tSerial Number: 12AB
\tConfigured Memory Speed: 2933 MT/s

Memory Device
\tSize: No Module Installed
\tLocator: DIMM_A2

Memory Device
\tSize: 16384 MB
\tLocator: DIMM_B1
\tSerial Number: Not Specified
END
"""


def test_memory_modules(utility, tool) -> None:
    tool("dmidecode", DMIDECODE)
    memory = utility("_facts_system").memory()
    assert memory["bytes"] == 32 << 30
    assert memory["modules"][0] == {
        "locator": "DIMM_A1",
        "bytes": 16 << 30,
        "kind": "DDR4",
        "speed_mts": 2933,
        "serial": "12AB",
        "manufacturer": "Samsung",
    }
    assert [entry["locator"] for entry in memory["modules"]] == ["DIMM_A1", "DIMM_B1"] and memory["modules"][1]["serial"] is None


LLDP = """cat <<'END'
{"lldp": [{"interface": [{"name": "eno1", "via": "LLDP",
  "chassis": [{"id": [{"type": "mac", "value": "00:11:22:33:44:55"}], "name": [{"value": "leaf-1"}]}],
  "port": [{"id": [{"type": "ifname", "value": "Eth1/7"}], "descr": [{"value": "to rack 3"}]}]}]}]}
END
"""


def test_lldp_neighbours(utility, tool) -> None:
    tool("lldpcli", LLDP)
    assert utility("_facts_devices").lldp_neighbours() == {"eno1": {"chassis": "00:11:22:33:44:55", "port": "Eth1/7", "system": "leaf-1"}}
    tool("lldpcli", "echo '{\"lldp\": [{}]}'")
    assert utility("_facts_devices").lldp_neighbours() == {}


@pytest.mark.parametrize(
    ("answer", "percent"),
    [
        ({"nvme_smart_health_information_log": {"percentage_used": 3}}, 3),
        ({"endurance_used": {"current_percent": 7}}, 7),
        ({"ata_smart_attributes": {"table": [{"id": 9, "value": 99}, {"id": 177, "value": 95}]}}, 5),
        ({"scsi_percentage_used_endurance_indicator": 0}, 0),
        ({}, None),
    ],
)
def test_wear(utility, answer: dict, percent: int | None) -> None:
    disk = utility("_disks").Disk("sda", "/dev/sda", "/dev/sda", None, "S", None, 1, "ssd", False, "sata", 512, False)
    assert utility("_smart").wear_percent(disk, answer) == percent


def test_the_kernels_list_format(utility) -> None:
    assert utility("_facts_system").parse_list("0-3,8,10-11") == [0, 1, 2, 3, 8, 10, 11]
    assert utility("_facts_system").parse_list("") == []
