# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that speaks to a BMC over the LAN."""

    DOCUMENTATION = r"""
options:
  kind:
    description: Protocol of the BMC.
    type: str
    choices: [ipmi]
    default: ipmi
  bmc_host:
    description:
      - Address or name of the BMC.
      - When not given, the environment variable E(METALPOOL_BMC_HOST) is used.
    type: str
    required: true
    aliases: [address]
  bmc_port:
    description:
      - UDP port of the BMC.
      - When not given, the environment variable E(METALPOOL_BMC_PORT) is used.
    type: int
    default: 623
  bmc_user:
    description:
      - Name of an account on the BMC with privilege ADMINISTRATOR or OPERATOR; at most 16 bytes.
      - When not given, the environment variable E(METALPOOL_BMC_USER) is used.
    type: str
    required: true
  bmc_password:
    description:
      - Password of that account; at most 20 bytes.
      - When not given, the environment variable E(METALPOOL_BMC_PASSWORD) is used.
    type: str
    required: true
  bmc_cipher_suite:
    description:
      - V(17) is SHA-256 with AES, V(3) is SHA-1 with AES, the only one that old BMCs know.
      - V(auto) offers V(17) and falls back to V(3) when the BMC refuses it or stays silent.
    type: str
    choices: [auto, "3", "17"]
    default: auto
  bmc_lock_directory:
    description:
      - Directory of the lock files by which all programs of this host take turns at a BMC.
      - When not given, the environment variable E(METALPOOL_BMC_LOCK_DIRECTORY) is used,
        then C(metalpool-bmc) in C(/run/lock), or in the directory for temporary files.
    type: path
  timeout:
    description:
      - Seconds that one conversation with the BMC may take, with waiting for its turn, logging in and
        logging out; at least V(2).
      - When not given, the environment variable E(METALPOOL_BMC_TIMEOUT) is used.
    type: int
    default: 30
requirements:
  - pyghmi >= 1.6.19
notes:
  - Runs where the BMC can be reached, commonly with C(delegate_to) a rack host, or on V(localhost).
  - A failure returns RV(ignore:bmc_error), one of V(auth), V(unreachable), V(busy), V(timeout), V(unsupported),
    V(unconfirmed), V(refused) or V(failed).
"""
