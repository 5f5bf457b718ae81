"""What the tests of the modules that run on a node share: real loop devices, real images, a real web server.

They need root, losetup and zstd, as the node has them; without root they are skipped as a whole.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    missing = [tool for tool in ("losetup", "zstd", "sfdisk", "mke2fs", "mkfs.vfat", "partx", "blkid") if not shutil.which(tool)]
    reason = "needs root" if os.geteuid() else "needs " + ", ".join(missing) if missing else ""
    for item in items:
        if reason and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which this checkout is the collection metalpool.core."""
    top = tmp_path_factory.mktemp("collections")
    (top / "ansible_collections/metalpool").mkdir(parents=True)
    (top / "ansible_collections/metalpool/core").symlink_to(REPOSITORY)
    return top


@pytest.fixture
def utility(collections: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], t.Any]:
    """Import one of the collection's module_utils."""
    monkeypatch.syspath_prepend(str(collections))
    return lambda name: importlib.import_module("ansible_collections.metalpool.core.plugins.module_utils." + name)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str, str], None]:
    """Put a program of a name first on the path, where the real one needs hardware that is not here. Its body is shell."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def put(name: str, body: str) -> None:
        (folder / name).write_text("#!/bin/sh\n" + body)
        (folder / name).chmod(0o755)

    return put


class Answer(dict):
    """What a module printed."""

    @property
    def failed(self) -> bool:
        return bool(self.get("failed"))


@pytest.fixture
def module(collections: Path, tmp_path: Path) -> t.Callable[..., Answer]:
    """Run a module as Ansible does: a process of its own, its arguments as JSON on standard input."""

    def run(name: str, check: bool = False, environment: dict[str, str] | None = None, **arguments: t.Any) -> Answer:
        if name == "image_write":
            arguments.setdefault("progress_path", str(tmp_path / "progress.json"))
        if name in ("image_write", "disk_erase", "first_boot"):
            arguments.setdefault("wait_seconds", 0)
        arguments.update(_ansible_check_mode=check, _ansible_remote_tmp=str(tmp_path), _ansible_keep_remote_files=False)
        done = subprocess.run(
            [sys.executable, "-m", "ansible_collections.metalpool.core.plugins.modules." + name],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=dict(
                os.environ,
                PYTHONPATH=f"{collections}:{os.environ.get('PYTHONPATH', '')}",
                PYTHONDONTWRITEBYTECODE="1",
                **(environment or {}),
            ),
        )
        assert done.stdout, done.stderr
        answer = Answer(json.loads(done.stdout))
        assert "Traceback" not in done.stderr and "exception" not in answer, done.stderr + done.stdout
        return answer

    return run


class LoopDisk(t.NamedTuple):
    """A loop device and the file behind it."""

    path: str
    file: Path

    def read(self, offset: int = 0, length: int = -1) -> bytes:
        with open(self.file, "rb") as handle:
            handle.seek(offset)
            return handle.read(length)

    def write(self, offset: int, data: bytes) -> None:
        """Through the device, so that no cache of it is stale."""
        with open(self.path, "r+b", buffering=0) as handle:
            handle.seek(offset)
            handle.write(data)
            os.fsync(handle.fileno())

    def partition(self, number: int) -> str:
        subprocess.run(["partx", "-u", self.path], check=False)
        return f"{self.path}p{number}"


@pytest.fixture
def loop_disk(tmp_path: Path) -> t.Iterator[t.Callable[..., LoopDisk]]:
    """Make loop devices of a size in MiB; filled with old data unless said otherwise."""
    made: list[LoopDisk] = []

    def make(mib: int, old_data: bool = True) -> LoopDisk:
        file = tmp_path / f"disk{len(made)}.raw"
        with open(file, "wb") as handle:
            if old_data:
                block = os.urandom(MIB)
                for unused in range(mib):
                    handle.write(block)
            handle.truncate(mib * MIB)
        path = subprocess.run(["losetup", "-f", "--show", str(file)], check=True, capture_output=True, text=True).stdout.strip()
        made.append(LoopDisk(path, file))
        return made[-1]

    yield make
    for disk in made:
        subprocess.run(["partx", "-d", disk.path], check=False, capture_output=True)
        subprocess.run(["losetup", "-d", disk.path], check=True)


class Image(t.NamedTuple):
    """A small bootable-looking image: GPT with BIOS boot, ESP and an ext4 root, and much of it zeros."""

    raw: bytes
    folder: Path

    def compressed(self, suffix: str) -> bytes:
        return (self.folder / ("image." + suffix)).read_bytes()

    def sha256(self, suffix: str = "raw.zst") -> str:
        return hashlib.sha256(self.compressed(suffix)).hexdigest()


ROOT_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nbuilder:x:1000:1000::/home/builder:/bin/bash\n"
    "toor:x:0:0::/home/toor:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n",
    "etc/shadow": "root:$6$aaaa$bbbb:19000:0:99999:7:::\ndaemon:*:19000::::::\nbuilder:$6$cc$dd:19000::::::\n"
    "toor::19000::::::\nnobody:*:19000::::::\n",
    "etc/group": "root:x:0:\nsudo:x:27:builder,daemon\nbuilder:x:1000:\n",
    "etc/gshadow": "root:*::\nsudo:*:builder:builder,daemon\nbuilder:!::\n",
    "etc/sudoers.d/90-build": "builder ALL=(ALL) NOPASSWD:ALL\n%sudo ALL=(ALL) ALL\n",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\n",
    "etc/ssh/ssh_host_ed25519_key": "build time key\n",
    "etc/ssh/ssh_host_ed25519_key.pub": "build time key\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/cloud/cloud.cfg": "users: [default]\n",
    "root/.ssh/authorized_keys": "ssh-ed25519 build\n",
    "home/builder/.ssh/authorized_keys": "ssh-ed25519 build\n",
    "home/toor/.profile": "x\n",
    "var/lib/cloud/instance/boot-finished": "x\n",
    "usr/bin/true": "x\n",
}


def _fill(top: Path) -> None:
    for name, text in ROOT_FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    (top / "etc/shadow").chmod(0o640)
    # a hostile image: a link that leads out of it
    (top / "etc/cloud/cloud.cfg.d").symlink_to("/opt/elsewhere")
    (top / "usr/noise").write_bytes(os.urandom(6 * MIB))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    tree = folder / "tree"
    tree.mkdir()
    _fill(tree)
    raw = folder / "image.raw"
    with open(raw, "wb") as handle:
        handle.truncate(64 * MIB)
    script = "label: gpt\n,1M,21686148-6449-6E6F-744E-656564454649\n,8M,U\n,,4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n"
    subprocess.run(["sfdisk", "-q", str(raw)], input=script, text=True, check=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), "-E", f"offset={10 * MIB}", str(raw), "52M"], check=True)
    esp = folder / "esp"
    subprocess.run(["mkfs.vfat", "-C", str(esp), str(8 * 1024)], check=True, capture_output=True)
    data = bytearray(raw.read_bytes())
    data[2 * MIB : 10 * MIB] = esp.read_bytes()
    raw.write_bytes(data)
    for command, suffix in ((["zstd", "-q"], "zst"), (["xz", "-0"], "xz"), (["gzip", "-1"], "gz")):
        with open(raw, "rb") as source, open(folder / ("image.raw." + suffix), "wb") as target:
            subprocess.run([*command, "-c"], stdin=source, stdout=target, check=True)
    return Image(bytes(data), folder)


class Server:
    """A web server on loopback whose paths are ways to answer."""

    def __init__(self) -> None:
        self.answers: dict[str, t.Callable[[BaseHTTPRequestHandler], None]] = {}
        self.end = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                try:
                    server.answers[self.path](self)
                except KeyError:
                    self.send_error(404)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def log_message(self, *unused: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def serve(
        self, path: str, data: bytes, announced: int | None = None, then_wait: bool = False, trickle: bool = False, lengthless: bool = False
    ) -> str:
        """Serve bytes.

        :param announced: Content-Length, when it is to differ from what is sent
        :param then_wait: keep the connection open after the data, saying nothing
        :param trickle: go on with one byte each 0.05 s
        """

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            if not lengthless:
                handler.send_header("Content-Length", str(len(data) if announced is None else announced))
            handler.end_headers()
            handler.wfile.write(data)
            handler.wfile.flush()
            while trickle and not self.end.wait(0.05):
                handler.wfile.write(b"x")
            if then_wait:
                self.end.wait(60)

        self.answers[path] = answer
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}{path}"


@pytest.fixture
def server() -> t.Iterator[Server]:
    made = Server()
    yield made
    made.end.set()
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def written(loop_disk: t.Callable[..., LoopDisk], image: Image) -> LoopDisk:
    """A disk with the image on it."""
    disk = loop_disk(80, old_data=False)
    disk.write(0, image.raw)
    disk.partition(3)
    return disk


@pytest.fixture
def edited(tmp_path: Path) -> t.Callable[[LoopDisk, dict[str, str]], None]:
    """Put files into a disk's root file system."""

    def edit(disk: LoopDisk, files: dict[str, str]) -> None:
        point = tmp_path / "edit"
        point.mkdir()
        subprocess.run(["mount", disk.partition(3), str(point)], check=True)
        for name, text in files.items():
            (point / name).parent.mkdir(parents=True, exist_ok=True)
            (point / name).write_text(text)
        subprocess.run(["umount", str(point)], check=True)

    return edit


@pytest.fixture
def inside(tmp_path: Path) -> t.Iterator[t.Callable[[LoopDisk], Path]]:
    """Mount a disk's root file system to look at it."""
    point = tmp_path / "inside"
    mounted: list[bool] = []

    def look(disk: LoopDisk) -> Path:
        point.mkdir()
        subprocess.run(["mount", "-o", "ro", disk.partition(3), str(point)], check=True)
        mounted.append(True)
        return point

    yield look
    if mounted:
        subprocess.run(["umount", str(point)], check=True)
