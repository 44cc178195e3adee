"""Kernels for report notebooks: private, repeatable, and gone when their notebook is done.

A kernel runs the interpreter that runs medhome, in a fixed environment that nothing of the user's settings
reaches. It speaks over Unix sockets in a short folder of its own: TCP ports collide when kernels start side
by side, and a relative socket name is resolved by client and kernel in different folders. Where Unix sockets
are missing (Windows) or their folder is too long, TCP is used, one start at a time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import site
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

from medhome.study.provenance import FIXED_ENVIRONMENT

SOCKET_PATH_LIMIT = 100
"""Longest socket path in bytes: the systems allow 107 (Linux) and 103 (macOS), without the final zero."""

_SOCKET_NAME = "/mh12345678/k-ipc-5"
_SOURCE_ROOT = Path(__file__).resolve().parents[2]

# What a kernel needs of its surroundings to start at all. Everything else (settings of Python, Jupyter and
# matplotlib, locale, secrets) stays outside.
_PASSED_ON = frozenset(
    {
        "APPDATA",
        "COMSPEC",
        "CONDA_PREFIX",
        "DYLD_FALLBACK_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "HOME",
        "HOMEDRIVE",
        "HOMEPATH",
        "LD_LIBRARY_PATH",
        "LOCALAPPDATA",
        "NUMBER_OF_PROCESSORS",
        "PATH",
        "PATHEXT",
        "PROGRAMDATA",
        "PYTHONHOME",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "TMPDIR",
        "USERPROFILE",
        "VIRTUAL_ENV",
        "WINDIR",
        "XDG_CACHE_HOME",
    }
)

_tcp_start = threading.Lock()


class KernelHome:
    """The private folder of one kernel: connection file, sockets, empty settings, what it printed."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        base = _short_folder()
        self.transport = "tcp" if base is None else "ipc"
        self.folder = Path(tempfile.mkdtemp(prefix="mh", dir=base))
        self.connection_file = self.folder / "k.json"
        self.log = self.folder / "kernel.log"
        self.environment = {**self._environment(), **(environment or {})}

    def _environment(self) -> dict[str, str]:
        settings = self.folder / "settings"
        settings.mkdir()
        no_style = settings / "matplotlibrc"
        no_style.touch()
        passed = {k: v for k, v in os.environ.items() if k.upper() in _PASSED_ON}
        return {
            **passed,
            "PYTHONPATH": os.pathsep.join(_search_path()),
            "IPYTHONDIR": str(settings / "ipython"),
            "JUPYTER_CONFIG_DIR": str(settings / "jupyter"),
            "JUPYTER_DATA_DIR": str(settings / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder),
            "JUPYTER_NO_CONFIG": "1",
            "MATPLOTLIBRC": str(no_style),
            "MPLCONFIGDIR": _font_cache(),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            **FIXED_ENVIRONMENT,
        }

    def last_words(self, lines: int = 8) -> str:
        """The end of what the kernel's process printed, for the message about a kernel that died."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def remove(self) -> None:
        """Remove the folder, sockets included."""
        shutil.rmtree(self.folder, ignore_errors=True)


class PrivateKernelManager(AsyncKernelManager):
    """Starts this interpreter's own kernel in a `KernelHome`, whatever kernels are installed elsewhere."""

    def __init__(self, home: KernelHome, **settings: Any) -> None:
        super().__init__(transport=home.transport, connection_file=str(home.connection_file), **settings)
        self.home = home
        self.process_id: int | None = None
        self._process: Any = None
        self._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )

    async def _async_launch_kernel(self, kernel_cmd: list[str], **settings: Any) -> None:
        with self.home.log.open("ab") as printed:
            settings.update(env=self.home.environment, stdout=printed, stderr=printed)
            await super()._async_launch_kernel(kernel_cmd, **settings)
        assert self.provisioner is not None
        self.process_id = getattr(self.provisioner, "pid", None)
        self._process = getattr(self.provisioner, "process", None)

    def kill(self) -> None:
        """End the process at once; safe from any thread and when it has ended already."""
        if self.process_id is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process_id, signal.SIGKILL)  # kernels lead a process group of their own
            else:
                os.kill(self.process_id, signal.SIGTERM)

    def end(self) -> None:
        """End the process and wait until the system has let it go."""
        self.kill()
        if self._process is not None:
            self._process.wait(timeout=30)


class Running:
    """The kernels of one run, so that all of them can be ended when one notebook fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kernels: set[PrivateKernelManager] = set()
        self.stopped = False

    def add(self, kernel: PrivateKernelManager) -> None:
        with self._lock:
            self._kernels.add(kernel)

    def discard(self, kernel: PrivateKernelManager) -> None:
        with self._lock:
            self._kernels.discard(kernel)

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            for kernel in self._kernels:
                kernel.kill()


@contextlib.contextmanager
def starting(home: KernelHome) -> Iterator[None]:
    """Held while a kernel starts: over TCP one at a time, since two may be given the same port."""
    if home.transport == "tcp":
        with _tcp_start:
            yield
    else:
        yield


def _short_folder() -> str | None:
    """A folder for temporary files whose name leaves room for sockets; None where there is none."""
    if os.name != "posix":
        return None
    for folder in (tempfile.gettempdir(), "/tmp"):
        fits = len(os.fsencode(folder + _SOCKET_NAME)) <= SOCKET_PATH_LIMIT
        if fits and os.path.isabs(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def _search_path() -> list[str]:
    """Where a kernel finds medhome: the same place as this process, with relative entries made absolute."""
    entries = [os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    installed = {os.path.realpath(p) for p in (*site.getsitepackages(), site.getusersitepackages())}
    if str(_SOURCE_ROOT) not in installed and str(_SOURCE_ROOT) not in entries:
        entries.insert(0, str(_SOURCE_ROOT))
    return entries


def _font_cache() -> str:
    """matplotlib's own cache folder, made ready by this process.

    A kernel that has to build it, or that cannot write it, prints a notice, and report notebooks are silent.
    """
    import matplotlib

    folder = matplotlib.get_cachedir()
    if not any(Path(folder).glob("fontlist-*.json")):
        import matplotlib.font_manager  # the import writes the cache
    return folder
