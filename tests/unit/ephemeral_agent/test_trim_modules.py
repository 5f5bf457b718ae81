"""Which kernel modules stay in the ephemeral OS."""

import trim_modules

DEPENDS = {
    "drivers/ata/ahci.ko": ["drivers/ata/libahci.ko", "drivers/scsi/scsi_mod.ko"],
    "drivers/ata/libahci.ko": [],
    "drivers/scsi/scsi_mod.ko": [],
    "drivers/scsi/pcmcia/aha152x_cs.ko": [],
    "sound/core/snd.ko": [],
}


def test_globs_with_braces_and_exceptions():
    keep, drop = trim_modules.read_globs("# c\nfs/{ext4,xfs}/**\n!drivers/{a,b}.ko # why\n")
    assert keep == ["fs/ext4/*", "fs/xfs/*"]
    assert drop == ["drivers/a.ko", "drivers/b.ko"]


def test_what_is_needed_stays():
    kept = trim_modules.select(list(DEPENDS), DEPENDS, ["drivers/ata/*"], [])
    assert kept == {"drivers/ata/ahci.ko", "drivers/ata/libahci.ko", "drivers/scsi/scsi_mod.ko"}


def test_exceptions_go():
    kept = trim_modules.select(list(DEPENDS), DEPENDS, ["drivers/scsi/*"], ["drivers/scsi/pcmcia/*"])
    assert kept == {"drivers/scsi/scsi_mod.ko"}


def test_modules_dep_is_read_without_its_prefix():
    assert trim_modules.read_depends("kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko:\n") == {"a.ko": ["b.ko", "c.ko"], "b.ko": []}
