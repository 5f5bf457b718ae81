# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules and plugins reach the service's API."""
from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(metalpool.core.api), C(metalpool.core.api.plugins), C(metalpool.core.api.claim) and more."""

    # For modules and actions.
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the Metalpool service, such as V(https://pool.example:8443).
      - Else the environment variable E(METALPOOL_URL), else V(url) in the profile
        V(~/.config/metalpool/config.toml) (E(METALPOOL_PROFILE) names another file).
      - Actions named C(operation_*) look into the variable C(metalpool_api) before the environment.
    type: str
  token:
    description:
      - API token. Better not written into a playbook, see O(token_file).
      - Else the environment variable E(METALPOOL_TOKEN), else V(token) in the profile, when the profile is for this
        O(url).
    type: str
  token_file:
    description:
      - File with the API token. Else the environment variable E(METALPOOL_TOKEN_FILE), else V(token_file) in the
        profile.
    type: path
  ca_file:
    description:
      - CA certificate (PEM) that the service's certificate is checked with, when it is not one that the system knows.
      - Else the environment variable E(METALPOOL_CA_FILE), else V(ca_file) in the profile.
    type: path
  validate_certs:
    description:
      - Whether to check the service's certificate. Switching this off gives your token to whoever answers.
    type: bool
    default: true
  timeout:
    description:
      - Seconds that one request may take, beside the time it asks the service to wait.
    type: int
    default: 30
  retry_timeout:
    description:
      - Seconds during which a call is tried again while the service does not answer or answers 502, 503 or 504,
        so that a restart of the service does not fail a playbook.
      - A call that reaches the service twice is done once; its C(Idempotency-Key) says that it is the same.
    type: int
    default: 120
notes:
  - Set the connection once for all modules with C(module_defaults) and the group C(group/metalpool.core.api).
"""

    # The claim that a run has on an operation.
    CLAIM = r"""
options:
  operation_id:
    description: Id of the operation. Else C(operation_id) in the variable C(metalpool_claim).
    type: str
  epoch:
    description:
      - Epoch of the claim that this run has on the operation. Else C(epoch) in the variable C(metalpool_claim).
    type: int
notes:
  - Runs on the controller, as one call of the API, without a module process and without a connection to the host.
  - The connection's settings may also stand in the variable C(metalpool_api), a dictionary with C(url),
    C(token_file) and C(ca_file), as a worker gives it.
  - A report of a claim that is no longer the newest one fails; the message then says that the claim was lost.
"""

    # For the inventory plugin.
    PLUGINS = r"""
options:
  url:
    description:
      - Address of the Metalpool service, such as V(https://pool.example:8443).
      - Else the environment variable E(METALPOOL_URL), else V(url) in the profile V(~/.config/metalpool/config.toml)
        (E(METALPOOL_PROFILE) names another file).
    type: str
  token:
    description:
      - API token. Else the environment variable E(METALPOOL_TOKEN), else V(token) in the profile, when the profile is
        for this O(url).
    type: str
  token_file:
    description: File with the API token. Else the environment variable E(METALPOOL_TOKEN_FILE).
    type: path
  ca_file:
    description:
      - CA certificate (PEM) that the service's certificate is checked with.
      - Else the environment variable E(METALPOOL_CA_FILE), else V(ca_file) in the profile.
    type: path
  validate_certs:
    description:
      - Whether to check the service's certificate. Switching this off gives your token to whoever answers.
    type: bool
    default: true
  timeout:
    description: Seconds that one request may take.
    type: int
    default: 30
  retry_timeout:
    description: Seconds during which the request is tried again while the service is away.
    type: int
    default: 20
"""
