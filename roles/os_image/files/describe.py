"""Print what the service has to know of an image, as JSON."""

import hashlib
import json
import os
import sys
from datetime import UTC, datetime


def describe(file_name: str, name: str, version: str, disk_bytes: int) -> dict:
    """The fields of the service's Image."""
    digest = hashlib.sha256()
    with open(file_name, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {
        "name": name,
        "os": "debian",
        "version": version,
        "arch": "amd64",
        "url": f"/images/{name}-{digest.hexdigest()[:16]}.raw.zst",
        "format": "raw.zst",
        "sha256": digest.hexdigest(),
        "size_bytes": os.path.getsize(file_name),
        "disk_bytes": disk_bytes,
        "default_user": "debian",
        "boot": ["bios", "uefi"],
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    print(json.dumps(describe(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])), indent=2))
