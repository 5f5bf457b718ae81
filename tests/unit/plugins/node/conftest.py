# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets these tests import the checkout as metalpool.core."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

subprocess.run(["bash", str(ROOT / "tests" / "link_collection.sh")], check=True)
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))
