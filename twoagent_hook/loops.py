"""Runs a coroutine from plain code, and leaves nothing behind that could keep the process alive."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class _DaemonExecutor(ThreadPoolExecutor):
    """Runs each task in a thread that never keeps the process alive: a name lookup can hang for minutes."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits, as every executor does
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        Executor.shutdown(self, wait=False, cancel_futures=cancel_futures)


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run one coroutine to its end on a loop of its own; ^C ends every request in it."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_DaemonExecutor(max_workers=1))
        return runner.run(work())
