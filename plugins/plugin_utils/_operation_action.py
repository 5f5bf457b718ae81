# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the operation_* action plugins. Private to this collection.

They run on the controller, in Ansible's own process: a call of the API and no module, so that a hundred nodes cost a
hundred small HTTP calls and not a hundred Python processes.
"""
from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.metalpool.core.plugins.module_utils._api import Api, segment
from ansible_collections.metalpool.core.plugins.module_utils._errors import ApiError, Unreachable
from ansible_collections.metalpool.core.plugins.module_utils._settings import CONNECTION_SPEC, SettingsError, resolve

CLAIM_SPEC: dict[str, dict[str, t.Any]] = {
    "operation_id": {"type": "str"},
    "epoch": {"type": "int"},
}


TEXT_LIMIT = 4000


def shortened(text: str | None, limit: int = TEXT_LIMIT) -> str | None:
    """A text that the service does not refuse for its length: the middle is left out, for the end says what went wrong.

    :param limit: characters
    """
    if text is None or len(text) <= limit:
        return text
    gap = " [...] "
    head = (limit - len(gap)) // 2
    return text[:head] + gap + text[len(text) - (limit - len(gap) - head) :]


class OperationAction(ActionBase):
    """One call (or one long poll) of the API per task and host.

    A subclass gives `options` (beside those of the connection) and `perform`. The connection comes from the task's
    options, else from the variable metalpool_api {url, token_file, ca_file}, the environment or the profile; the claim
    from the options operation_id and epoch, else from the variable metalpool_claim.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_async = False
    # What these do has effects in the service; a dry run of an operation's playbook leaves them out.
    _supports_check_mode = False

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {}
    spec_rules: t.ClassVar[dict[str, t.Any]] = {}
    secret_result: t.ClassVar[bool] = False

    api: Api
    params: dict[str, t.Any]
    task_vars: dict[str, t.Any]

    def perform(self) -> dict[str, t.Any]:
        """Do the work with `self.api` and `self.params`; return what the task returns beside changed and failed."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the options, connect, perform; errors of the API become the task's message."""
        result = super().run(tmp, task_vars)
        self.task_vars = task_vars or {}
        _validation, self.params = self.validate_argument_spec({**CONNECTION_SPEC, **self.options}, **self.spec_rules)
        if self.secret_result:
            # Hides the result from output and logs; a registered variable has it all the same.
            result["_ansible_no_log"] = True
        try:
            settings = resolve(self.params, self.variable("metalpool_api"))
            self.api = Api(settings, on_retry=self.say)
            result.update({"changed": False, **self.perform()})
        except ApiError as exc:
            result.update(failed=True, msg=str(exc), status=exc.status, problem=exc.problem)
            if exc.kind == "stale-epoch":
                result["msg"] = f"This run has lost its claim, another attempt has taken the operation over. {exc}"
        except (Unreachable, SettingsError) as exc:
            result.update(failed=True, msg=str(exc))
        if result.get("failed"):
            # The message is for people and has no secrets in it: the API never gives any with an error.
            result.pop("_ansible_no_log", None)
        return result

    def variable(self, name: str) -> Mapping[str, t.Any]:
        """A variable of the host that is a dictionary; {} when there is none.

        :raises AnsibleActionFail: it is something else
        """
        value = self._templar.template(self.task_vars.get(name) or {})
        if not isinstance(value, Mapping):
            raise AnsibleActionFail(f"the variable {name} must be a dictionary, but it is {type(value).__name__}")
        return value

    def claim(self) -> tuple[str, int]:
        """The path of the operation in the API, and the epoch of the claim that this run has on it.

        :raises AnsibleActionFail: there is no claim
        """
        known = self.variable("metalpool_claim")
        operation = self.params.get("operation_id") or known.get("operation_id")
        epoch = self.params["epoch"] if self.params.get("epoch") is not None else known.get("epoch")
        if not operation or epoch is None:
            raise AnsibleActionFail(
                f"{self._task.action} needs a claim: give operation_id and epoch, or set the variable metalpool_claim "
                "(a worker does; by hand, metalpool.core.operation_claim returns it)"
            )
        return f"/operations/{segment(operation)}", int(epoch)

    def say(self, text: str) -> None:
        """Show a line at once, while the task runs. Ansible sends it from its worker process to the terminal."""
        host = self.task_vars.get("inventory_hostname")
        prefix = "" if host in (None, "localhost", "127.0.0.1") else f"[{host}] "
        Display().display(f"    {prefix}{text}")
