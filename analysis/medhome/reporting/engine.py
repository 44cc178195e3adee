"""papermill's engine with kernels of our own, and its failures in words.

Imported late: papermill takes a second or two, which a notebook that imports medhome must not pay.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from medhome.reporting.failures import Interrupted, NotebookFailed
from medhome.reporting.kernels import KernelHome, PrivateKernelManager, Running, starting
from medhome.reporting.normalise import numbered

_ENGINE = "medhome"
_log = logging.getLogger("medhome.notebooks")
_log.addHandler(logging.NullHandler())  # what it says comes as an exception too


class _Client(PapermillNotebookClient):
    """papermill's client with a private kernel."""

    home: KernelHome
    running: Running
    folder: Path
    kernel: PrivateKernelManager | None = None
    began = False

    def create_kernel_manager(self) -> PrivateKernelManager:
        self.km = self.kernel = PrivateKernelManager(self.home, config=self.config)
        return self.km

    @contextlib.contextmanager
    def setup_kernel(self, **settings: Any) -> Iterator[None]:
        attempts = 2 if self.home.transport == "tcp" else 1  # TCP ports can be taken between choice and use
        with starting(self.home):
            for attempt in range(1, attempts + 1):
                try:
                    self._start()
                    break
                except Exception:
                    self._end()
                    if attempt == attempts or self.running.stopped:
                        raise
        self.began = True
        try:
            with super().setup_kernel(**settings):
                yield
        finally:
            self._end()

    def _start(self) -> None:
        kernel = self.create_kernel_manager()
        self.running.add(kernel)
        self.start_new_kernel(cwd=str(self.folder))
        self.start_new_kernel_client()

    def _end(self) -> None:
        if self.kernel is not None:
            self.kernel.end()
            self.running.discard(self.kernel)


class _Engine(Engine):
    """papermill's engine, given the things of one run instead of settings found elsewhere."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **settings: Any) -> Any:
        client = settings["make_client"](nb_man)
        return client.execute()


papermill_engines.register(_ENGINE, _Engine)


def execute(
    notebook: NotebookNode,
    name: str,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    home: KernelHome,
    running: Running,
    timeout: int,
    start_timeout: int,
    cell_done: Callable[[], None],
) -> NotebookNode:
    """Execute a notebook with papermill in a private kernel: every cell to its end, or `NotebookFailed`."""
    client: _Client | None = None
    current: int | None = None

    def begin(cell: NotebookNode, cell_index: int) -> None:
        nonlocal current
        assert client is not None
        current = list(numbered(client.nb))[cell_index][0]

    def make_client(manager: Any) -> _Client:
        nonlocal client
        client = _Client(
            manager,
            timeout=timeout,
            startup_timeout=start_timeout,
            iopub_timeout=60,
            kernel_name="python3",
            shutdown_kernel="immediate",
            coalesce_streams=True,
            on_cell_start=begin,
            on_cell_executed=lambda **_: cell_done(),
            log=_log,
        )
        client.home, client.running, client.folder = home, running, folder
        return client

    try:
        executed = papermill.execute_notebook(
            notebook,
            None,
            parameters=dict(parameters),
            engine_name=_ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            make_client=make_client,
        )
    except PapermillExecutionError as error:
        raise _cell_failed(name, current, error.ename, error.evalue, error.traceback) from None
    except CellTimeoutError:
        message = f"{name}, cell {current}: took longer than {timeout} s; give it more with --timeout"
        raise NotebookFailed(message, notebook=name, cell=current, ename="CellTimeoutError") from None
    except (RuntimeError, TimeoutError, OSError) as error:
        if running.stopped:
            raise Interrupted(f"{name}: stopped", notebook=name) from None
        began = client is not None and client.began
        raise _kernel_failed(name, current if began else None, home, error) from error
    if running.stopped:
        raise Interrupted(f"{name}: stopped", notebook=name)
    _check_executed(executed, name)
    return executed


def _check_executed(notebook: NotebookNode, name: str) -> None:
    """What the metadata say is not believed: every code cell must carry its count and no error."""
    for number, cell in numbered(notebook):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                raise _cell_failed(name, number, output.ename, output.evalue, output.traceback)
        if cell.execution_count is None:
            raise NotebookFailed(f"{name}, cell {number}: was not run to its end", notebook=name, cell=number)


def _cell_failed(
    name: str, cell: int | None, ename: str, evalue: str, traceback: list[str]
) -> NotebookFailed:
    return NotebookFailed(
        f"{name}, cell {cell}: {ename}: {evalue}",
        notebook=name,
        cell=cell,
        ename=ename,
        evalue=evalue,
        traceback="\n".join(traceback),
    )


def _kernel_failed(name: str, cell: int | None, home: KernelHome, error: Exception) -> NotebookFailed:
    said = home.last_words()
    said = f"; its last words:\n{said}" if said else ""
    if cell is None:
        message = f"{name}: the kernel did not start: {error}{said}"
    elif isinstance(error, DeadKernelError):
        message = f"{name}, cell {cell}: the kernel died (out of memory, or killed){said}"
    else:
        message = f"{name}, cell {cell}: the kernel was lost: {error}{said}"
    return NotebookFailed(message, notebook=name, cell=cell, ename=type(error).__name__, evalue=str(error))
