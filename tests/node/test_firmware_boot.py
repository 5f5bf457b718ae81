"""firmware_boot and the UEFI half of first_boot against efibootmgr's words; the real firmware is in test_in_guest."""

from __future__ import annotations

import importlib

import pytest

OUTPUT = """BootCurrent: 0003
BootNext: 0001
Timeout: 0 seconds
BootOrder: 0001,0000,0003,0004
Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)
Boot0001* UEFI QEMU NVMe Ctrl NVME0001 1\tPciRoot(0x0)/Pci(0x2,0x0)/NVMe(0x1,00-00-00-00-00-00-00-00)
Boot0002  Hard Drive\tBBS(HD,,0x0)
Boot0003* UEFI PXEv4 (MAC:525400AABB01)\tPciRoot(0x0)/Pci(0x3,0x0)/MAC(525400aabb01,1)/IPv4(0.0.0.00.0.0.0,0,0)N.....YM....R,Y.
Boot0004* UEFI HTTPv4 (MAC:525400AABB01)\tPciRoot(0x0)/Pci(0x3,0x0)/MAC(525400aabb01,1)/IPv4(0.0.0.00.0.0.0,0,0)/Uri()
Boot0005* Metalpool\tHD(2,GPT,ebdc59ab-ec7a-014b-ba22-e3785d8ca87a,0x1000,0x20000)/File(\\EFI\\debian\\shimx64.efi)
"""
DOCUMENT = {
    "order": ["0003", "0000"],
    "entries": [{"id": "0000", "label": "UiApp", "active": True}, {"id": "0003", "label": "UEFI PXEv4 (MAC:525400AABB01)", "active": True}],
}


def test_efibootmgr_is_read(utility) -> None:
    state = utility("_uefi").parse(OUTPUT)
    assert state.order == ["0001", "0000", "0003", "0004"] and state.current == "0003" and state.next == "0001"
    assert [entry.label for entry in state.entries][2:4] == ["Hard Drive", "UEFI PXEv4 (MAC:525400AABB01)"]
    assert [entry.active for entry in state.entries] == [True, True, False, True, True, True]
    assert [entry.id for entry in state.entries if entry.is_network] == ["0003", "0004"]
    assert state.as_facts()["entries"][0] == {"id": "0000", "label": "UiApp", "active": True}


def test_our_entry_follows_the_network_entry_of_this_boot(utility) -> None:
    uefi = utility("_uefi")
    state = uefi.parse(OUTPUT)
    assert uefi.network_first(state, "0005") == ["0003", "0005", "0004", "0001", "0000"]
    assert uefi.network_first(state, None) == ["0003", "0004", "0001", "0000"]
    by_disk = state._replace(current="0001")
    assert uefi.network_first(by_disk, "0005") == ["0003", "0005", "0004", "0001", "0000"]
    nothing = state._replace(entries=state.entries[:2], order=["0000"], current=None)
    assert uefi.network_first(nothing, "0005") == ["0005", "0000"]


def test_the_commissioned_order_comes_back_under_todays_numbers(utility) -> None:
    utility("_uefi")
    module = importlib.import_module("ansible_collections.metalpool.core.plugins.modules.firmware_boot")
    state = utility("_uefi").parse(OUTPUT.replace("Boot0003", "Boot0007").replace("BootOrder: 0001,0000,0003", "BootOrder: 0001,0000,0007"))
    assert module.wanted_order(state, DOCUMENT) == ["0007", "0000", "0001", "0004"]
    remove, findings = module.surplus(state, DOCUMENT, {"remove_unknown": True, "keep_ours": False})
    assert [entry.id for entry in remove] == ["0001", "0002", "0004", "0005"]
    # our own is expected after a deploy and no finding
    assert [finding["kind"] for finding in findings] == ["boot-entry-removed"] * 3
    remove, findings = module.surplus(state, DOCUMENT, {"remove_unknown": False, "keep_ours": True})
    assert remove == [] and [finding["kind"] for finding in findings] == ["boot-entry-unknown"] * 3
    assert module.wanted_order(state, None)[0] == "0007"


@pytest.mark.parametrize(
    ("files", "loader"),
    [
        (["EFI/debian/grubx64.efi", "EFI/debian/shimx64.efi", "EFI/BOOT/BOOTX64.EFI"], "\\EFI\\debian\\shimx64.efi"),
        (["EFI/debian/grubx64.efi", "EFI/BOOT/BOOTX64.EFI"], "\\EFI\\debian\\grubx64.efi"),
        (["efi/boot/bootx64.efi"], "\\EFI\\boot\\bootx64.efi"),
        (["EFI/BOOT/BOOTAA64.EFI"], None),
        ([], None),
    ],
)
def test_the_loader_is_found_whatever_its_case(utility, tmp_path, files: list[str], loader: str | None) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert utility("_uefi").find_loader(str(tmp_path), "amd64") == loader


def test_a_changed_firmware_is_a_finding(module) -> None:
    now = module("hardware_info")["facts"]["firmware"]
    assert module("firmware_boot", firmware=now, boot={"order": [], "entries": []})["findings"] == []
    found = module("firmware_boot", firmware={**now, "version": "0.other", "date": "x"})["findings"]
    assert [finding["kind"] for finding in found] == ["firmware-changed"] and "0.other" in found[0]["detail"]
