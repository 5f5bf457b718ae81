"""Scopes of tokens, administrators, passwords, sessions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SCOPE = "scope IN ('read', 'allocate', 'operate', 'admin')"


def upgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("administrator", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("disabled_at", sa.DateTime(), nullable=True))
    op.execute(
        "UPDATE user_account SET administrator = true"
        " WHERE id IN (SELECT user_id FROM token WHERE role = 'admin' AND revoked_at IS NULL)"
    )
    # Tokens that are there may be used for all that their users may do, as before.
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("scope", sa.String(), nullable=False, server_default="admin"))
        batch_op.create_check_constraint(batch_op.f("ck_token_scope"), _SCOPE)
    for table, columns in (("user_account", ("administrator",)), ("token", ("name", "scope"))):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.alter_column(column, server_default=None)
    op.create_table(
        "password",
        sa.Column("user_id", _ID, autoincrement=False, nullable=False),
        sa.Column("argon2", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_password_user_id_user_account"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_password")),
    )
    op.create_table(
        "login_session",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("token_id", _ID, nullable=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_login_session_user_id_user_account"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f("fk_login_session_token_id_token"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("sha256", name=op.f("uq_login_session_sha256")),
    )
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_session_user_id"), ["user_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_session_token_id"), ["token_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_session_expires_at"), ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("login_session")
    op.drop_table("password")
    # An older version knows no scopes: what a narrowed token could do there is more than it was given for.
    op.execute("UPDATE token SET revoked_at = created_at WHERE scope != 'admin' AND revoked_at IS NULL AND role != 'worker'")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_token_scope"), type_="check")
        batch_op.drop_column("scope")
        batch_op.drop_column("name")
    # Nor does it know administrators who are none any more, or who is disabled.
    op.execute(
        "UPDATE token SET revoked_at = created_at WHERE revoked_at IS NULL AND user_id IN"
        " (SELECT id FROM user_account WHERE disabled_at IS NOT NULL OR (token.role = 'admin' AND NOT administrator))"
    )
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_column("disabled_at")
        batch_op.drop_column("administrator")
