"""The pool: networks, rights, leases, queue, quotas"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_HELD = ("allocated", "deploying", "active", "failed", "releasing", "released")


def _states(*states: str) -> str:
    return "state IN ({})".format(", ".join(f"'{state}'" for state in states))


_ALIKE = (
    "pool_id",
    "zone_id",
    "arch",
    "firmware",
    "cpus",
    "memory_bytes",
    "disk_bytes",
    "storage_bytes",
    "link_mbps",
    "gpus",
    "cost",
    "CASE WHEN root_disk IS NULL THEN 'unclear' END",
)
_SET_ASIDE = '[{"kinds": ["deploy", "release"], "failures": 3, "window_seconds": 604800}]'


def upgrade() -> None:
    op.create_table(
        "fabric",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fabric")),
        sa.UniqueConstraint("name", name=op.f("uq_fabric_name")),
    )
    op.create_table(
        "space",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
        sa.UniqueConstraint("name", name=op.f("uq_space_name")),
    )
    op.create_table(
        "tag",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("expression", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("evaluated_at", sa.DateTime(), nullable=True),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("name", name=op.f("uq_tag_name")),
    )
    op.execute("INSERT INTO tag (name, description, version) SELECT DISTINCT tag, '', 1 FROM node_tag")
    op.create_table(
        "user_group",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_group")),
        sa.UniqueConstraint("name", name=op.f("uq_user_group_name")),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_group.id"], name=op.f("fk_group_member_group_id_user_group"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_group_member_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_member")),
    )
    with op.batch_alter_table("group_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_member_user_id"), ["user_id"], unique=False)

    op.create_table(
        "idempotency_key",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("status", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_idempotency_key_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_key")),
    )
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_key_created_at"), ["created_at"], unique=False)

    op.create_table(
        "quota",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pool_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("nodes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cpus", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("memory_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_quota_pool_id_pool"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_quota_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota")),
        sa.UniqueConstraint("pool_id", "user_id", name=op.f("uq_quota_pool_id_user_id")),
    )
    with op.batch_alter_table("quota", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quota_user_id"), ["user_id"], unique=False)
        batch_op.create_index(
            "uq_quota_every_user",
            ["pool_id"],
            unique=True,
            sqlite_where=sa.text("user_id IS NULL"),
            postgresql_where=sa.text("user_id IS NULL"),
        )

    op.create_table(
        "role_grant",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("pool_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.CheckConstraint("role IN ('viewer', 'user', 'operator')", name=op.f("ck_role_grant_role")),
        sa.CheckConstraint("(user_id IS NULL) != (group_id IS NULL)", name=op.f("ck_role_grant_subject")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_group.id"], name=op.f("fk_role_grant_group_id_user_group"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_role_grant_pool_id_pool"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_role_grant_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
    )
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_grant_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_role_grant_pool_id"), ["pool_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_role_grant_user_id"), ["user_id"], unique=False)

    op.create_table(
        "vlan",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fabric_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("space_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("vid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mtu", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("vid BETWEEN 0 AND 4094", name=op.f("ck_vlan_vid")),
        sa.ForeignKeyConstraint(["fabric_id"], ["fabric.id"], name=op.f("fk_vlan_fabric_id_fabric")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_vlan_space_id_space")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vlan")),
        sa.UniqueConstraint("fabric_id", "vid", name=op.f("uq_vlan_fabric_id_vid")),
        sa.UniqueConstraint("name", name=op.f("uq_vlan_name")),
    )
    with op.batch_alter_table("vlan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vlan_fabric_id"), ["fabric_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_vlan_space_id"), ["space_id"], unique=False)

    op.create_table(
        "device",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("node_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bus", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("pci_class", sa.String(), nullable=True),
        sa.Column("class_name", sa.String(), nullable=True),
        sa.Column("vendor_id", sa.String(), nullable=True),
        sa.Column("product_id", sa.String(), nullable=True),
        sa.Column("vendor", sa.String(), nullable=True),
        sa.Column("product", sa.String(), nullable=True),
        sa.Column("driver", sa.String(), nullable=True),
        sa.Column("gpu", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_device_node_id_node"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index("ix_device_ids", ["vendor_id", "product_id", "node_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_device_node_id"), ["node_id"], unique=False)

    op.create_table(
        "failure",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("node_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("operation_id", sa.String(), nullable=True),
        sa.Column("allocation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("forgiven", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_failure_node_id_node"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["allocation_id"],
            ["allocation.id"],
            name=op.f("fk_failure_allocation_id_allocation"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failure")),
    )
    with op.batch_alter_table("failure", schema=None) as batch_op:
        batch_op.create_index("ix_failure_node_id_at", ["node_id", "at"], unique=False)

    op.create_table(
        "numa_node",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("node_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cpus", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_numa_node_node_id_node"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numa_node")),
        sa.UniqueConstraint("node_id", "number", name=op.f("uq_numa_node_node_id_number")),
    )
    op.create_table(
        "subnet",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("vlan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cidr", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=True),
        sa.Column("dns_servers", sa.JSON(), nullable=False),
        sa.Column("assign", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["vlan_id"], ["vlan.id"], name=op.f("fk_subnet_vlan_id_vlan")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnet")),
        sa.UniqueConstraint("name", name=op.f("uq_subnet_name")),
        sa.UniqueConstraint("vlan_id", "cidr", name=op.f("uq_subnet_vlan_id_cidr")),
    )
    with op.batch_alter_table("subnet", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subnet_vlan_id"), ["vlan_id"], unique=False)

    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subnet_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ip", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("interface_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("allocation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("comment", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('reserved', 'assigned')", name=op.f("ck_address_kind")),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_address_allocation_id_allocation"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["interface_id"], ["interface.id"], name=op.f("fk_address_interface_id_interface"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnet.id"], name=op.f("fk_address_subnet_id_subnet")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sa.UniqueConstraint("subnet_id", "ip", name=op.f("uq_address_subnet_id_ip")),
    )
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_allocation_id"), ["allocation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_address_interface_id"), ["interface_id"], unique=False)
        batch_op.create_index("ix_address_subnet_id_position", ["subnet_id", "position"], unique=False)

    op.create_table(
        "address_range",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subnet_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("last", sa.String(), nullable=False),
        sa.Column("comment", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('boot', 'reserved')", name=op.f("ck_address_range_kind")),
        sa.ForeignKeyConstraint(
            ["subnet_id"], ["subnet.id"], name=op.f("fk_address_range_subnet_id_subnet"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_range")),
    )
    with op.batch_alter_table("address_range", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_range_subnet_id"), ["subnet_id"], unique=False)

    op.create_table(
        "disk_tag",
        sa.Column("disk_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["disk_id"], ["disk.id"], name=op.f("fk_disk_tag_disk_id_disk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("disk_id", "tag", name=op.f("pk_disk_tag")),
    )
    op.create_table(
        "interface_tag",
        sa.Column("interface_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interface_id"], ["interface.id"], name=op.f("fk_interface_tag_interface_id_interface"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("interface_id", "tag", name=op.f("pk_interface_tag")),
    )
    op.create_table(
        "allocation_pool",
        sa.Column("allocation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pool_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_allocation_pool_allocation_id_allocation"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pool.id"], name=op.f("fk_allocation_pool_pool_id_pool"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("allocation_id", "pool_id", name=op.f("pk_allocation_pool")),
    )
    with op.batch_alter_table("allocation_pool", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_allocation_pool_pool_id"), ["pool_id"], unique=False)
    with op.batch_alter_table("allocation", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_allocation_state"), type_="check")
        batch_op.create_check_constraint(batch_op.f("ck_allocation_state"), _states("waiting", *_HELD))
        batch_op.add_column(sa.Column("pool_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(
            sa.Column("cpus", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column(
                "memory_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
            )
        )
        batch_op.add_column(sa.Column("set_name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("request", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(
            sa.Column(
                "priority", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0"
            )
        )
        batch_op.add_column(sa.Column("queued_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("wait_until", sa.DateTime(), nullable=True))
        batch_op.add_column(
            sa.Column("lease_seconds", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("expires_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("noticed_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("held_since", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("expired_at", sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column("due_at", sa.DateTime(), nullable=True))
        batch_op.add_column(
            sa.Column("needs_cpus", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column("needs_memory_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column("needs_storage_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column("needs_gpus", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(sa.Column("note", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("annotations", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(
            sa.Column(
                "version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="1"
            )
        )
        batch_op.alter_column("node_name", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.create_index(
            "ix_allocation_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_allocation_held_user_id",
            ["user_id", "pool_id"],
            unique=False,
            sqlite_where=sa.text("state != 'released'"),
            postgresql_where=sa.text("state != 'released'"),
        )
        batch_op.create_index(batch_op.f("ix_allocation_set_name"), ["set_name"], unique=False)
        batch_op.create_index(
            "ix_allocation_waiting",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_allocation_pool_id_pool"), "pool", ["pool_id"], ["id"], ondelete="SET NULL"
        )

    with op.batch_alter_table("bmc", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bmc_address"), ["address"], unique=False)

    with op.batch_alter_table("interface", schema=None) as batch_op:
        batch_op.add_column(sa.Column("vlan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(sa.Column("vlan_by_hand", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.create_index(batch_op.f("ix_interface_vlan_id"), ["vlan_id"], unique=False)
        batch_op.drop_index(batch_op.f("ix_interface_node_id"))
        batch_op.create_index(batch_op.f("ix_interface_node_id_vlan_id"), ["node_id", "vlan_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_interface_vlan_id_vlan"), "vlan", ["vlan_id"], ["id"], ondelete="SET NULL"
        )

    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("storage_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("cpu_mhz", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(
            sa.Column("numa_nodes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(sa.Column("link_mbps", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.add_column(
            sa.Column("gpus", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
        )
        batch_op.add_column(sa.Column("tpm", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("cost", sa.Double(), nullable=False, server_default="0"))
        batch_op.add_column(
            sa.Column(
                "recent_failures",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=False,
                server_default="0",
            )
        )
        batch_op.add_column(
            sa.Column(
                "hardware_version",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=False,
                server_default="1",
            )
        )
        batch_op.add_column(sa.Column("annotations", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(
            sa.Column("idle_since", sa.DateTime(), nullable=False, server_default="1970-01-01 00:00:00")
        )
        batch_op.add_column(sa.Column("rules_due_at", sa.DateTime(), nullable=True))
        batch_op.create_index(
            "ix_node_rules_due_at",
            ["rules_due_at"],
            unique=False,
            sqlite_where=sa.text("rules_due_at IS NOT NULL"),
            postgresql_where=sa.text("rules_due_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_node_free"), sqlite_where=sa.text("state = 'ready'"))
        batch_op.create_index(
            "ix_node_free",
            ["cost", "idle_since", "id", "locked", "pool_id", "zone_id", "arch", "cpus", "memory_bytes", "storage_bytes", "link_mbps", "gpus"],
            unique=False,
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        )
        batch_op.add_column(sa.Column("failures_until", sa.DateTime(), nullable=True))
        # SQLite cannot add a column that is stored, and need not; PostgreSQL makes an index on no other.
        stored = True if op.get_bind().dialect.name == "postgresql" else None
        alike = " || '/' || ".join(f"coalesce(CAST({one} AS TEXT), '')" for one in _ALIKE)
        batch_op.add_column(sa.Column("alike", sa.String(), sa.Computed(alike, persisted=stored), nullable=True))
        batch_op.create_index("ix_node_alike", ["alike", "state", "locked"], unique=False)
        batch_op.create_index(
            "ix_node_failures_until",
            ["failures_until"],
            unique=False,
            sqlite_where=sa.text("failures_until IS NOT NULL"),
            postgresql_where=sa.text("failures_until IS NOT NULL"),
        )
    op.execute("UPDATE node SET idle_since = coalesce(last_used_at, created_at)")
    op.drop_column("node", "last_used_at")
    op.drop_column("node", "lost_allocations")

    with op.batch_alter_table("node_tag", schema=None) as batch_op:
        batch_op.add_column(sa.Column("by_rule", sa.Boolean(), nullable=False, server_default=sa.false()))

    with op.batch_alter_table("pool", schema=None) as batch_op:
        batch_op.add_column(sa.Column("default_role", sa.String(), nullable=False, server_default="user"))
        batch_op.create_check_constraint(
            batch_op.f("ck_pool_default_role"), "default_role IN ('none', 'viewer', 'user')"
        )
        batch_op.add_column(sa.Column("lease_required", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(
            sa.Column("lease_default_seconds", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(
            sa.Column("lease_max_seconds", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(
            sa.Column("lease_total_seconds", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
        )
        batch_op.add_column(
            sa.Column(
                "lease_notice_seconds",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=False,
                server_default="3600",
            )
        )
        batch_op.add_column(
            sa.Column(
                "lease_grace_seconds",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=False,
                server_default="0",
            )
        )
        batch_op.add_column(sa.Column("queue_order", sa.String(), nullable=False, server_default="first_come"))
        batch_op.add_column(sa.Column("set_aside", sa.JSON(), nullable=False, server_default=_SET_ASIDE))
        batch_op.add_column(
            sa.Column(
                "version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="1"
            )
        )

    with op.batch_alter_table("zone", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="1"
            )
        )


def downgrade() -> None:
    op.drop_column("zone", "version")
    with op.batch_alter_table("pool", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_pool_default_role"), type_="check")
        for column in (
            "version",
            "set_aside",
            "queue_order",
            "lease_grace_seconds",
            "lease_notice_seconds",
            "lease_total_seconds",
            "lease_max_seconds",
            "lease_default_seconds",
            "lease_required",
            "default_role",
        ):
            batch_op.drop_column(column)
    op.drop_column("node_tag", "by_rule")
    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.add_column(sa.Column("last_used_at", sa.DateTime(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "lost_allocations",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                nullable=False,
                server_default="0",
            )
        )
        batch_op.drop_index("ix_node_alike")
        batch_op.drop_index(
            "ix_node_failures_until",
            sqlite_where=sa.text("failures_until IS NOT NULL"),
            postgresql_where=sa.text("failures_until IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_node_rules_due_at",
            sqlite_where=sa.text("rules_due_at IS NOT NULL"),
            postgresql_where=sa.text("rules_due_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_node_free", sqlite_where=sa.text("state = 'ready'"), postgresql_where=sa.text("state = 'ready'")
        )
        batch_op.create_index(
            "ix_node_free",
            ["zone_id", "arch", "cpus", "memory_bytes"],
            unique=False,
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        )
    op.execute("UPDATE node SET last_used_at = idle_since")
    for column in (
        "alike",
        "rules_due_at",
        "failures_until",
        "idle_since",
        "annotations",
        "hardware_version",
        "recent_failures",
        "cost",
        "tpm",
        "gpus",
        "link_mbps",
        "numa_nodes",
        "cpu_mhz",
        "storage_bytes",
    ):
        op.drop_column("node", column)

    with op.batch_alter_table("interface", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_interface_vlan_id_vlan"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_interface_node_id_vlan_id"))
        batch_op.create_index(batch_op.f("ix_interface_node_id"), ["node_id"], unique=False)
        batch_op.drop_index(batch_op.f("ix_interface_vlan_id"))
        batch_op.drop_column("vlan_by_hand")
        batch_op.drop_column("vlan_id")

    with op.batch_alter_table("bmc", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bmc_address"))

    op.execute("DELETE FROM allocation WHERE node_name IS NULL")
    with op.batch_alter_table("allocation", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_allocation_state"), type_="check")
        batch_op.create_check_constraint(batch_op.f("ck_allocation_state"), _states(*_HELD))
        batch_op.drop_constraint(batch_op.f("fk_allocation_pool_id_pool"), type_="foreignkey")
        batch_op.drop_index(
            "ix_allocation_waiting",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index(batch_op.f("ix_allocation_set_name"))
        batch_op.drop_index(
            "ix_allocation_held_user_id",
            sqlite_where=sa.text("state != 'released'"),
            postgresql_where=sa.text("state != 'released'"),
        )
        batch_op.drop_index(
            "ix_allocation_due_at",
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.alter_column("node_name", existing_type=sa.VARCHAR(), nullable=False)
        batch_op.drop_column("version")
        batch_op.drop_column("annotations")
        batch_op.drop_column("note")
        for column in ("needs_gpus", "needs_storage_bytes", "needs_memory_bytes", "needs_cpus"):
            batch_op.drop_column(column)
        batch_op.drop_column("due_at")
        batch_op.drop_column("expired_at")
        batch_op.drop_column("held_since")
        batch_op.drop_column("noticed_at")
        batch_op.drop_column("expires_at")
        batch_op.drop_column("lease_seconds")
        batch_op.drop_column("wait_until")
        batch_op.drop_column("queued_at")
        batch_op.drop_column("priority")
        batch_op.drop_column("request")
        batch_op.drop_column("set_name")
        batch_op.drop_column("memory_bytes")
        batch_op.drop_column("cpus")
        batch_op.drop_column("pool_id")

    with op.batch_alter_table("allocation_pool", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_allocation_pool_pool_id"))

    op.drop_table("allocation_pool")
    op.drop_table("interface_tag")
    op.drop_table("disk_tag")
    with op.batch_alter_table("address_range", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_address_range_subnet_id"))

    op.drop_table("address_range")
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.drop_index("ix_address_subnet_id_position")
        batch_op.drop_index(batch_op.f("ix_address_interface_id"))
        batch_op.drop_index(batch_op.f("ix_address_allocation_id"))

    op.drop_table("address")
    with op.batch_alter_table("subnet", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_subnet_vlan_id"))

    op.drop_table("subnet")
    op.drop_table("numa_node")
    with op.batch_alter_table("failure", schema=None) as batch_op:
        batch_op.drop_index("ix_failure_node_id_at")

    op.drop_table("failure")
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_node_id"))
        batch_op.drop_index("ix_device_ids")

    op.drop_table("device")
    with op.batch_alter_table("vlan", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vlan_space_id"))
        batch_op.drop_index(batch_op.f("ix_vlan_fabric_id"))

    op.drop_table("vlan")
    with op.batch_alter_table("role_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_role_grant_user_id"))
        batch_op.drop_index(batch_op.f("ix_role_grant_pool_id"))
        batch_op.drop_index(batch_op.f("ix_role_grant_group_id"))

    op.drop_table("role_grant")
    with op.batch_alter_table("quota", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_quota_every_user", sqlite_where=sa.text("user_id IS NULL"), postgresql_where=sa.text("user_id IS NULL")
        )
        batch_op.drop_index(batch_op.f("ix_quota_user_id"))

    op.drop_table("quota")
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_key_created_at"))

    op.drop_table("idempotency_key")
    with op.batch_alter_table("group_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_group_member_user_id"))

    op.drop_table("group_member")
    op.drop_table("user_group")
    op.drop_table("tag")
    op.drop_table("space")
    op.drop_table("fabric")
