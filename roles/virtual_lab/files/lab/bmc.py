"""The simulated BMC of one node: OpenIPMI's ipmi_sim, its configuration and its process.

The LAN and the guest's KCS interface reach the same management controller (0x20), hence the same accounts and the same
event log. What users change (accounts, event log) is kept in `bmc/state` and outlives the process.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import processes
from files import wait_for, write_if_changed
from spec import Bmc, Node

# The event log holds 1000 records; 0x0a: Delete SEL, Reserve SEL supported (Get SEL Info, IPMI 2.0, section 31.2).
# mc_add: device id 0x20, revision 1, firmware 9.08, device support 0x9f (chassis, FRU, SEL, SDR, sensors).
EMULATION = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_set_guid 0x20 {guid}
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 1 1 1
sensor_set_value 0x20 0 1 0x30 0
mc_enable 0x20
"""

# No chassis program gets the password: it stands in this file (mode 0600) alone.
LAN = """name "{name}"
set_working_mc 0x20
  startlan 1
    addr {bmc.address} {bmc.port}
    priv_limit admin
    allowed_auths_callback md5
    allowed_auths_user md5
    allowed_auths_operator md5
    allowed_auths_admin md5
    guid {guid}
    lan_config_program "{directory}/lan-parameters"
  endlan
  chassis_control "{directory}/chassis"
  serial 15 127.0.0.1 {bmc.kcs_port} codec VM
  user 1 false "" "" user 10 md5
  user 2 true "{bmc.username}" "{password}" admin 10 md5
"""

LAN_PARAMETERS = """#!/bin/sh
# Says the BMC's LAN parameters (IPMI 2.0, section 23.2) when ipmi_sim asks for them. They cannot be changed.
test "$1" = get || exit 1
cat <<END
ip_addr:{bmc.address}
ip_addr_src:static
mac_addr:{bmc.mac}
subnet_mask:{bmc.netmask}
default_gw_ip_addr:{bmc.gateway}
default_gw_mac_addr:00:00:00:00:00:00
backup_gw_ip_addr:0.0.0.0
backup_gw_mac_addr:00:00:00:00:00:00
END
"""

# chassis enters the lab's namespace by itself, so that a person can call it from anywhere.
CHASSIS = """#!/bin/sh
# The power button of {name}; see chassis.py.
if [ /proc/self/ns/net -ef /run/netns/{namespace} ]; then
  exec python3 -SEB {library}/chassis.py {directory} "$@"
fi
exec ip netns exec {namespace} python3 -SEB {library}/chassis.py {directory} "$@"
"""


class Simulator:
    """The BMC of the node whose files are in `directory`."""

    def __init__(self, directory: Path, namespace: str) -> None:
        self.directory = directory
        self.namespace = namespace
        self.pid_file = directory / "bmc" / "ipmi_sim.pid"

    def configure(self, node: Node, bmc: Bmc, password: str, library: Path) -> bool:
        """Writes the configuration; returns whether ipmi_sim has to be started again for it."""
        # IPMI sends a GUID with its last byte first (IPMI 2.0, section 20.8).
        guid = uuid.UUID(node.uuid).bytes[::-1].hex()
        values = {"name": node.name, "bmc": bmc, "guid": guid, "password": password, "directory": self.directory,
                  "namespace": self.namespace, "library": library}
        (self.directory / "bmc" / "state").mkdir(parents=True, exist_ok=True)
        (self.directory / "bmc").chmod(0o700)
        write_if_changed(self.directory / "chassis", CHASSIS.format(**values), 0o755)
        write_if_changed(self.directory / "lan-parameters", LAN_PARAMETERS.format(**values), 0o755)
        changed = write_if_changed(self.directory / "bmc" / "lan.conf", LAN.format(**values), 0o600)
        return write_if_changed(self.directory / "bmc" / "sim.emu", EMULATION.format(**values)) or changed

    def running(self) -> bool:
        """Whether ipmi_sim runs."""
        return processes.running(self.pid_file) is not None

    def listens(self, bmc: Bmc) -> bool:
        """Whether ipmi_sim holds its UDP port already."""
        pid = processes.running(self.pid_file)
        try:
            table = Path(f"/proc/{pid}/net/udp").read_text()
        except OSError:
            return False
        number = "".join(f"{int(part):02X}" for part in reversed(bmc.address.split(".")))
        return f" {number}:{bmc.port:04X} " in table

    def start(self, bmc: Bmc) -> None:
        """Starts ipmi_sim inside the namespace; returns when it answers on its address."""
        files = self.directory / "bmc"
        log = files / "ipmi_sim.log"
        processes.start(["ip", "netns", "exec", self.namespace, "ipmi_sim", "-c", str(files / "lan.conf"), "-f",
                         str(files / "sim.emu"), "-s", str(files / "state"), "-n"], self.pid_file, log, files)
        if not wait_for(lambda: self.listens(bmc) or not self.running(), 10) or not self.running():
            raise RuntimeError(f"ipmi_sim for {bmc.address} did not start: {log.read_text()[-500:]}; see {log}")

    def stop(self) -> None:
        """Ends ipmi_sim; the guest goes on and connects again when there is a new one."""
        pid = processes.running(self.pid_file)
        if pid:
            processes.end(pid)
        self.pid_file.unlink(missing_ok=True)
