"""Threads that nobody waits for at the end: a name server that hangs must not hold up the doctor.

asyncio asks the system's resolver on its executor's threads, and an ordinary executor joins them
when the program ends.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class AbandonedThreads(ThreadPoolExecutor):
    """A daemon thread for each piece of work; the few looks of a doctor need no pool."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Begin the work."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
                future.set_exception(error)

        threading.Thread(target=work, name="doctor", daemon=True).start()
        return future

    def shutdown(self, *_: Any, **__: Any) -> None:
        """Leave what still runs to itself."""
