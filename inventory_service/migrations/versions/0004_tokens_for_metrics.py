"""Tokens that may read the metrics and nothing else"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _let_roles_be(*roles: str) -> None:
    allowed = ", ".join(f"'{one}'" for one in roles)
    with op.batch_alter_table("token") as table:
        table.drop_constraint(op.f("ck_token_role"), type_="check")
        table.create_check_constraint(op.f("ck_token_role"), f"role IN ({allowed})")


def upgrade() -> None:
    _let_roles_be("admin", "user", "worker", "metrics")


def downgrade() -> None:
    op.execute("DELETE FROM token WHERE role = 'metrics'")
    _let_roles_be("admin", "user", "worker")
