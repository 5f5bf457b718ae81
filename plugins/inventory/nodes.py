# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamic inventory of the nodes that you hold."""
from __future__ import annotations

DOCUMENTATION = r"""
name: nodes
short_description: Inventory of the physical servers that you hold
version_added: 0.1.0
description:
  - Gives the nodes that you have acquired and that are active as hosts; an administrator gets everybody's.
  - One request to the service brings everything.
  - The name of a host is the host name of its installed system; where two hosts have the same, the allocation's name.
  - The host keys that the nodes reported are written to O(known_hosts_file), and ssh is told to accept nothing else,
    so the
    first connection is verified. They are passed in C(ansible_ssh_common_args); put arguments of your own into
    C(ansible_ssh_args).
  - Variables of each host are C(ansible_host), C(ansible_user), C(metalpool_allocation), C(metalpool_node),
    C(metalpool_zone),
    C(metalpool_pool), C(metalpool_tags), C(metalpool_image), C(metalpool_user), C(metalpool_arch), C(metalpool_cpus),
    C(metalpool_memory_bytes), C(metalpool_host_keys) and C(metalpool_addresses).
author:
  - Metalpool contributors (@metalpool)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
  - metalpool.core.api.plugins
options:
  plugin:
    description: Marks the file as one for this plugin. Its name has to end with C(metalpool.yml) or C(metalpool.yaml).
    type: str
    required: true
    choices: [metalpool.core.nodes]
  group_by:
    description:
      - What to make groups of. The groups are called C(zone_X), C(pool_X), C(tag_X), C(image_X) and C(user_X), with
        underscores for characters that a group's name cannot have.
    type: list
    elements: str
    choices: [zone, pool, tag, image, user, arch]
    default: [zone, pool, tag, image, user]
  known_hosts_file:
    description: Your file for the host keys. Keys of other addresses in it stay.
    type: path
    default: ~/.cache/metalpool/known_hosts
"""

EXAMPLES = r"""
# nodes.metalpool.yml, with the service's address and token in ~/.config/metalpool/config.toml
plugin: metalpool.core.nodes

# other.metalpool.yml, with everything in it
# plugin: metalpool.core.nodes
# url: https://pool.example:8443
# token_file: ~/.config/metalpool/token
# ca_file: /etc/metalpool/ca.crt
# group_by: [zone, tag]
# keyed_groups:
#   - key: metalpool_arch
#     prefix: arch
# cache: true
# cache_plugin: ansible.builtin.jsonfile
# cache_connection: ~/.cache/metalpool/inventory
"""

import typing as t
from functools import cache

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.metalpool.core.plugins.module_utils._api import Api
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError, Unreachable
from ansible_collections.metalpool.core.plugins.module_utils._settings import CONNECTION_SPEC, SettingsError, resolve
from ansible_collections.metalpool.core.plugins.plugin_utils import _known_hosts

PREFIX = "metalpool_"
SUFFIXES = ("metalpool.yml", "metalpool.yaml")
FACTS = ("allocation", "node", "zone", "pool", "tags", "image", "user", "arch", "cpus", "memory_bytes", "host_keys", "addresses")


@cache
def group_name(kind: str, value: str) -> str:
    """Name of the group of all hosts with this value."""
    return to_safe_group_name(f"{kind}_{value}", force=True, silent=True)


def groups_of(host: dict[str, t.Any], kinds: list[str]) -> list[str]:
    """The groups that a host of the API's inventory is in."""
    names: list[str] = []
    for kind in kinds:
        values = host.get("tags") or [] if kind == "tag" else [host.get(kind)]
        names.extend(group_name(kind, str(value)) for value in values if value not in (None, ""))
    return names


def variables_of(host: dict[str, t.Any], ssh_arguments: str) -> dict[str, t.Any]:
    """Variables of a host. What the service says stays untrusted: Ansible renders no template in it."""
    return {
        "ansible_host": host["ansible_host"],
        "ansible_user": host["ansible_user"],
        "ansible_ssh_common_args": ssh_arguments,
        **{PREFIX + key: host.get(key) for key in FACTS},
    }


def host_name(host: dict[str, t.Any], taken: t.Container[str]) -> str:
    """Name of a host in the inventory."""
    return host["allocation"] if host["name"] in taken else host["name"]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory plugin metalpool.core.nodes."""

    NAME = "metalpool.core.nodes"

    def verify_file(self, path: str) -> bool:
        """Whether the file is meant for this plugin, by its name."""
        return super().verify_file(path) and path.endswith(SUFFIXES)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        try:
            settings = resolve({key: self.get_option(key) for key in CONNECTION_SPEC})
            hosts = self.hosts_of(Api(settings, on_retry=self.display.warning), self.get_cache_key(path), cache)
            arguments = self.trust(settings.url, hosts)
        except (ApiError, Unreachable, SettingsError) as exc:
            raise AnsibleParserError(str(exc)) from exc
        self.fill(hosts, arguments)

    def hosts_of(self, api: Api, cache_key: str, cache: bool) -> list[dict[str, t.Any]]:
        """The hosts, from the cache when that is wanted and has them."""
        use = self.get_option("cache")
        if use and cache:
            try:
                return self._cache[cache_key]
            except KeyError:
                pass
        hosts = api.get("/inventory").json["hosts"]
        if use:
            self._cache[cache_key] = hosts
        return hosts

    def trust(self, source: str, hosts: list[dict[str, t.Any]]) -> str:
        """Write the host keys down; return what makes ssh use them."""
        path = self.get_option("known_hosts_file")
        known = [_known_hosts.Host(host["ansible_host"], tuple(host["host_keys"])) for host in hosts]
        try:
            _known_hosts.write(path, source, known)
        except (OSError, ValueError) as exc:
            raise AnsibleParserError(f"cannot write known_hosts_file={path}: {exc}") from exc
        return _known_hosts.ssh_arguments(path)

    def fill(self, hosts: list[dict[str, t.Any]], ssh_arguments: str) -> None:
        """Add hosts, variables and groups.

        Groups are computed here and not by keyed_groups, which compiles a template for each host and group, and
        variables are set at once; with ten thousand hosts that is a second instead of a quarter of a minute.
        """
        kinds = self.get_option("group_by")
        constructed = [self.get_option(key) for key in ("compose", "groups", "keyed_groups")]
        strict = self.get_option("strict")
        known: set[str] = set()
        for host in hosts:
            name = host_name(host, known)
            known.add(name)
            variables = variables_of(host, ssh_arguments)
            self.inventory.add_host(name)
            self.inventory.hosts[name].vars.update(variables)
            for group in groups_of(host, kinds):
                self.inventory.add_group(group)
                self.inventory.add_child(group, name)
            compose, groups, keyed_groups = constructed
            if compose:
                self._set_composite_vars(compose, variables, name, strict=strict)
                variables = self.inventory.hosts[name].vars
            if groups:
                self._add_host_to_composed_groups(groups, variables, name, strict=strict, fetch_hostvars=False)
            if keyed_groups:
                self._add_host_to_keyed_groups(keyed_groups, variables, name, strict=strict, fetch_hostvars=False)
