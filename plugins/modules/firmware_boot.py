# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: firmware_boot
short_description: Put the UEFI boot entries and their order back to what was commissioned
description:
  - Runs on the node, in the ephemeral OS. Compares the boot entries and the firmware with what was found when the node was commissioned,
    takes out what was added since, and restores the order.
  - Entries are recognised by their label, because some firmware numbers its own entries anew at each boot.
  - A firmware that is not the one that was commissioned is reported; it is not changed.
  - On a node that was booted by BIOS only the firmware is compared.
version_added: 0.1.0
author:
  - Metalpool contributors (@metalpool)
options:
  boot:
    description:
      - What was commissioned, as C(boot) in the facts of M(metalpool.core.hardware_info).
      - Without it no entry but Metalpool's own is removed, and the network goes first.
    type: dict
    suboptions:
      order:
        description: Numbers of the entries in the order in which the firmware tries them.
        type: list
        elements: str
        default: []
      entries:
        description: The entries, with C(id), C(label) and C(active).
        type: list
        elements: dict
        default: []
  firmware:
    description: What was commissioned, as C(firmware) in the facts of M(metalpool.core.hardware_info).
    type: dict
  remove_unknown:
    description: Remove entries that O(boot) does not have. V(false) only reports them.
    type: bool
    default: true
  keep_ours:
    description: Keep the entry V(Metalpool) of an installed system.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Reports what would be done.
  diff_mode:
    support: full
    description: Shows the boot order and entries before and after.
  platform:
    support: full
    description: Linux
    platforms: linux
"""

EXAMPLES = r"""
- name: Put the boot entries back
  metalpool.core.firmware_boot:
    boot: "{{ facts_of_commissioning.boot }}"
    firmware: "{{ facts_of_commissioning.firmware }}"
  register: firmware
"""

RETURN = r"""
findings:
  description: What differed from what was commissioned, and what was done about it.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: >-
        V(boot-entry-removed), V(boot-entry-unknown), V(boot-entry-missing), V(boot-next-removed), V(boot-order-restored) or
        V(firmware-changed).
      type: str
    detail:
      description: One line for people.
      type: str
boot:
  description: The boot entries and their order after, as in the facts; empty on BIOS.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._facts_system import firmware as firmware_now
from ansible_collections.metalpool.core.plugins.module_utils._uefi import (
    OUR_LABEL,
    UefiProblem,
    delete_entry,
    delete_next,
    is_uefi,
    network_first,
    read_state,
    set_order,
)

NO_BOOT = {"order": [], "entries": []}


def compare_firmware(commissioned):
    """Findings about the firmware itself."""
    now = firmware_now()
    changed = [
        f"{field}: {now[field]}, commissioned with {commissioned[field]}"
        for field in ("kind", "vendor", "version", "date", "secure_boot")
        if field in commissioned and commissioned[field] != now[field]
    ]
    return [{"kind": "firmware-changed", "detail": "; ".join(changed)}] if changed else []


def surplus(state, document, params):
    """Entries to remove, and findings about those that are not ours (our own is there after each deploy)."""
    known = {entry.get("label") for entry in document["entries"]} if document else None
    remove, findings = [], []
    for entry in state.entries:
        if entry.label == OUR_LABEL:
            if not params["keep_ours"]:
                remove.append(entry)
        elif known is not None and entry.label not in known:
            if params["remove_unknown"]:
                remove.append(entry)
            else:
                findings.append({"kind": "boot-entry-unknown", "detail": f"Boot{entry.id} {entry.label} ({entry.path})"})
    findings += [
        {"kind": "boot-entry-removed", "detail": f"Boot{entry.id} {entry.label} ({entry.path})"}
        for entry in remove
        if entry.label != OUR_LABEL
    ]
    return remove, findings


def wanted_order(state, document):
    """The order of the document in today's numbers, then what else there is in its present order."""
    if not document:
        return network_first(state, None)
    labels = {entry.get("id"): entry.get("label") for entry in document["entries"]}
    order = []
    for number in document["order"]:
        fitting = [entry.id for entry in state.entries if entry.label == labels.get(number) and entry.id not in order]
        order += [number] if number in fitting else fitting[:1]
    there = [entry.id for entry in state.entries]
    # an entry that is known but was in no order stays out of it; any other is tried last, as the firmware has it
    return order + [number for number in state.order if number in there and number not in order]


def restore(module, document):
    """Bring the boot entries back.

    :returns: (findings, changed)
    :raises UefiProblem: the firmware refused
    """
    state = read_state()
    if state is None:
        raise UefiProblem("efibootmgr cannot read the boot entries; is it installed, and is efivarfs mounted?")
    remove, findings = surplus(state, document, module.params)
    present = {entry.label for entry in state.entries}
    for entry in document["entries"] if document else []:
        if entry.get("label") not in present and entry.get("label") != OUR_LABEL:
            findings.append({"kind": "boot-entry-missing", "detail": "Boot{} {}".format(entry.get("id"), entry.get("label"))})
    changed = bool(remove)
    if not module.check_mode:
        for entry in remove:
            delete_entry(entry.id)
    if state.next:
        changed = True
        findings.append({"kind": "boot-next-removed", "detail": f"BootNext was Boot{state.next}"})
        if not module.check_mode:
            delete_next()
    gone = {entry.id for entry in remove}
    left = state._replace(entries=[entry for entry in state.entries if entry.id not in gone])
    order = wanted_order(left, document)
    # what removing entries takes out of the order is no change of the order
    if order != [number for number in state.order if number not in gone]:
        changed = True
        findings.append(
            {"kind": "boot-order-restored", "detail": "{}, it was {}".format(",".join(order), ",".join(state.order) or "empty")}
        )
        if not module.check_mode:
            set_order(order)
    return findings, changed


def main():
    module = AnsibleModule(
        argument_spec={
            "boot": {
                "type": "dict",
                "options": {
                    "order": {"type": "list", "elements": "str", "default": []},
                    "entries": {"type": "list", "elements": "dict", "default": []},
                },
            },
            "firmware": {"type": "dict"},
            "remove_unknown": {"type": "bool", "default": True},
            "keep_ours": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    findings = compare_firmware(module.params["firmware"] or {})
    if not is_uefi():
        module.exit_json(changed=False, findings=findings, boot=NO_BOOT)
    # a document without entries was made on BIOS, or where they could not be read: nothing is known then
    document = module.params["boot"] if module.params["boot"] and module.params["boot"]["entries"] else None
    before = read_state()
    try:
        found, changed = restore(module, document)
    except UefiProblem as problem:
        module.fail_json(msg=str(problem), findings=findings)
    after = read_state()
    boot = after.as_facts() if after else NO_BOOT
    module.exit_json(
        changed=changed, findings=findings + found, boot=boot, diff={"before": before.as_facts() if before else NO_BOOT, "after": boot}
    )


if __name__ == "__main__":
    main()
