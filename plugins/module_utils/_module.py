# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that speak to the API share. Private to this collection."""
from __future__ import annotations

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._api import Api
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError, Unreachable
from ansible_collections.metalpool.core.plugins.module_utils._polling import last, operation_versions
from ansible_collections.metalpool.core.plugins.module_utils._progress import ended, failure, unfinished
from ansible_collections.metalpool.core.plugins.module_utils._settings import CONNECTION_SPEC, SettingsError, resolve

WAIT_SPEC: dict[str, dict[str, t.Any]] = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 14400},
}


class OperationFailed(Exception):
    """An operation that the module waited for did not succeed, or not in time.

    :param operation: the operation as it was last seen
    """

    def __init__(self, message: str, operation: dict[str, t.Any]) -> None:
        super().__init__(message)
        self.operation = operation


def make_module(spec: dict[str, t.Any], **rules: t.Any) -> AnsibleModule:
    """A module with its own options and those of the connection; all of them have a check mode."""
    return AnsibleModule(argument_spec={**CONNECTION_SPEC, **spec}, supports_check_mode=True, **rules)


@contextlib.contextmanager
def connected(module: AnsibleModule) -> t.Iterator[Api]:
    """The API for the module's options; whatever goes wrong with it ends the module with a message for people."""
    try:
        yield Api(resolve(module.params), on_retry=module.warn)
    except ApiError as exc:
        module.fail_json(msg=str(exc), status=exc.status, problem=exc.problem)
    except OperationFailed as exc:
        module.fail_json(msg=str(exc), operation=exc.operation)
    except (Unreachable, SettingsError) as exc:
        module.fail_json(msg=str(exc))


def wait_for_operation(api: Api, operation_id: str, timeout: int) -> dict[str, t.Any]:
    """Long-poll an operation until it has ended well.

    :param timeout: seconds
    :raises OperationFailed: it ended otherwise, or not in time
    """
    operation = last(operation_versions(api, operation_id, timeout))
    if not ended(operation):
        raise OperationFailed(unfinished(operation, timeout), operation)
    if operation["state"] != "succeeded":
        raise OperationFailed(failure(operation), operation)
    return operation


def differences(current: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What of `wanted` is not so in `current`. None in `wanted` stands for "not said"."""
    return {key: value for key, value in wanted.items() if value is not None and current.get(key) != value}


def diff_of(current: t.Mapping[str, t.Any], changes: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """The diff of a module's result: the changed fields only, before and after."""
    return {"before": {key: current.get(key) for key in changes}, "after": dict(changes)}
