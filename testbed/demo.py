"""``make demo``: a pool of three virtual machines from nothing, and one of them through its whole life."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from testbed.client import Client
from testbed.progress import Progress, table
from testbed.site import IMAGES, VENV, PlaybookFailed, Site

KEY = Path("~/.ssh/id_ed25519").expanduser()
PROFILE = Path("~/.config/metalpool/config.toml").expanduser()
ALLOCATION = "demo"

BOOT_SECONDS = 150
"""After this time a machine that has not enlisted hangs; a network boot takes 20 to 60 s here."""


def main() -> int:
    site, progress = Site(), Progress()
    try:
        prepare(site, progress)
        operations = live(site, progress)
    except PlaybookFailed as error:
        print(error, file=sys.stderr)
        return 1
    print_times(progress, operations)
    print_what_next(site)
    return 0


def prepare(site: Site, progress: Progress) -> None:
    """Everything up to three machines with the power off."""
    progress.headline("Preparing (what is there already is kept)")
    variables = site.variables
    with progress.step("Virtual lab: three machines, their BMCs and their network"):
        site.playbook("metalpool.core.lab", variables, on_line=progress.task)
    with progress.step("Ephemeral OS, inventory service, boot server, worker"):
        site.playbook("metalpool.core.setup", variables, on_line=progress.task)
    for suite in IMAGES:
        with progress.step(f"Image: Debian {suite}"):
            site.playbook("metalpool.core.os_image", variables | {"os_image_suite": suite}, on_line=progress.task)
    write_profile(site)
    with progress.step("Images and your SSH key registered"):
        site.register_images()
        register_key(site)


def write_profile(site: Site) -> None:
    """The profile that every plugin of the collection reads; an existing one of another service is left alone."""
    text = f'url = "{site.url}"\ntoken_file = "{site.admin_token_file}"\nca_file = "{site.ca_file}"\n'
    if PROFILE.exists() and PROFILE.read_text() != text:
        print(f"    {PROFILE} is there already and was left as it is")
        return
    PROFILE.parent.mkdir(parents=True, exist_ok=True)
    PROFILE.write_text(text)


def register_key(site: Site) -> None:
    """Your own SSH key, as an ordinary user would register it."""
    if not KEY.exists():
        KEY.parent.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(KEY)], check=True)
    key = KEY.with_suffix(".pub").read_text().strip()
    if key.split()[1] not in json.dumps(site.admin.get("/ssh-keys")):
        site.admin.post("/ssh-keys", {"key": key})


def live(site: Site, progress: Progress) -> list[dict[str, Any]]:
    """The whole life. Returns the operations of it that have ended well."""
    progress.headline("Enlist and commission: the power buttons are pressed, the machines say what they are")
    operations = []
    for name in site.machines:
        operations += enlist_and_commission(site, progress, name)
    show_pool(site, progress)

    progress.headline("Acquire: ansible-playbook metalpool.core.acquire -e mem=2G -e image=debian-12")
    with progress.step("Acquired and deployed"):
        site.playbook("metalpool.core.acquire", {"mem": "2G", "image": "debian-12", "allocation": ALLOCATION},
                      on_line=lambda line: show_operation_line(progress, line))
    allocation = site.admin.get(f"/allocations/{ALLOCATION}")
    progress.say(f"{allocation['node']} is yours: {allocation['ssh_user']}@{allocation['address']}")
    operations.append(last_operation(site.admin, allocation["node"], "deploy"))

    progress.headline("Use: your own playbook, on the dynamic inventory")
    with progress.step("ansible-playbook -i nodes.metalpool.yml testbed/playbooks/hello.yml"):
        printed = site.playbook("testbed/playbooks/hello.yml", arguments=["-i", "playbooks/nodes.metalpool.yml"], on_line=progress.task)
    for line in printed.splitlines():
        if '"msg"' in line:
            progress.say(line.split(":", 1)[1].strip().strip('"'))

    progress.headline(f"Release: ansible-playbook metalpool.core.release -e allocation={ALLOCATION}")
    with progress.step("Erased, verified, ready again"):
        site.playbook("metalpool.core.release", {"allocation": ALLOCATION}, on_line=lambda line: show_operation_line(progress, line))
    operations.append(last_operation(site.admin, allocation["node"], "release"))
    for erasure in site.admin.get(f"/nodes/{allocation['node']}/erasures")["items"][:2]:
        progress.say(f"disk {erasure['serial']}: {erasure['method']}, verified: {erasure['verified']}, {erasure['seconds']:.0f} s")
    show_pool(site, progress)
    return operations


def enlist_and_commission(site: Site, progress: Progress, name: str) -> list[dict[str, Any]]:
    """Press the power button of an unknown machine, accept it, wait until it is ready. Nothing when it is known."""
    serial = site.machines[name]["serial"]
    node = by_serial(site.admin, serial)
    if node is None:
        with progress.step(f"{name}: network boot, enlisted"):
            site.chassis(name, "set", "power", "1")
            node = wait_enlisted(site, serial)
        site.admin.call("PATCH", f"/nodes/{node['name']}", {"name": name})
    if node["state"] not in ("new", "failed_commissioning"):
        return []
    with progress.step(f"{name}: accepted and commissioned"):
        operation = site.admin.post(f"/nodes/{name}/operations", {"kind": "commission"})
        ended = site.admin.wait_operation(operation["id"], 1200, lambda found: progress.detail(found["step"] or found["state"]))
    if ended["state"] != "succeeded":
        raise PlaybookFailed(f"commissioning {name} ended {ended['state']}: {ended['reason']}")
    return [ended]


def by_serial(api: Client, serial: str) -> dict[str, Any] | None:
    """The node with this serial number, if the service knows one."""
    return next((node for node in api.get("/nodes?limit=500")["items"] if node["serial"] == serial), None)


def wait_enlisted(site: Site, serial: str, seconds: float = 600) -> dict[str, Any]:
    """The node once it has enlisted itself. A machine that hangs on its way is switched off and on, as a person would."""
    name = next(name for name, machine in site.machines.items() if machine["serial"] == serial)
    started = time.monotonic()
    presses = 1
    while time.monotonic() - started < seconds:
        if node := by_serial(site.admin, serial):
            return node
        if time.monotonic() - started > presses * BOOT_SECONDS:
            presses += 1
            site.chassis(name, "set", "power", "0")
            site.chassis(name, "set", "power", "1")
        time.sleep(1)
    raise PlaybookFailed(f"the machine with serial {serial} has not enlisted within {seconds} s; its console: {site.lab}/nodes/{name}")


def last_operation(api: Client, node: str, kind: str) -> dict[str, Any]:
    """The latest operation of a kind on a node, with its steps."""
    items = api.get(f"/operations?node={node}&kind={kind}")["items"]
    found: dict[str, Any] = api.get(f"/operations/{max(items, key=lambda item: item['created_at'])['id']}")
    return found


def show_operation_line(progress: Progress, line: str) -> None:
    """A line of acquire.yml or release.yml: the steps of the operation are shown, the rest becomes the detail."""
    if line.startswith("    ") and line.strip():
        progress.say(line.strip())
    else:
        progress.task(line)


def show_pool(site: Site, progress: Progress) -> None:
    """The pool as it stands."""
    rows = []
    for node in site.admin.get("/nodes?limit=500")["items"]:
        disks = ", ".join(f"{disk['kind']} {disk['size_bytes'] / 2**30:.0f}G" for disk in node["disks"])
        memory = f"{(node['memory_bytes'] or 0) / 2**30:.0f}G"
        rows.append((node["name"], node["state"], node["firmware"] or "", str(node["cpus"] or ""), memory, disks))
    progress.say("")
    for line in table(rows, ("node", "state", "firmware", "cpus", "memory", "disks")).splitlines():
        progress.say(line)


def print_times(progress: Progress, operations: list[dict[str, Any]]) -> None:
    """How long everything took, step by step."""
    rows = [(f"{operation['node']} {operation['kind']}: {step['title']}", f"{step['seconds']:.1f}")
            for operation in operations for step in operation["steps"] if step["seconds"] is not None]
    if rows:
        progress.headline("Where the time went")
        print(table(rows, ("step", "seconds")))


def print_what_next(site: Site) -> None:
    """How to go on playing."""
    print(f"""
How to go on (this shell: source {os.path.relpath(VENV)}/bin/activate)

  Pages           {site.url}/   (token: {site.admin_token_file}; CA: {site.ca_file})
  Acquire         ansible-playbook playbooks/acquire.yml -e mem=2G -e allocation=mine
  Who is where    ansible-inventory -i playbooks/nodes.metalpool.yml --graph
  Log in          ansible -i playbooks/nodes.metalpool.yml all -m ping ; the address: ansible-inventory ... --list
  Give it back    ansible-playbook playbooks/release.yml -e allocation=mine
  Consoles        {site.lab}/nodes/*/console.log
  Take all away   make demo-clean
""")


if __name__ == "__main__":
    sys.exit(main())
