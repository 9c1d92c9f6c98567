"""Threads that nobody waits for."""

import threading

import pytest

from fastagi_server.doctor.threads import AbandonedThreads


def test_results_and_errors() -> None:
    """What the work gives, or raises, comes to who waits for it."""
    threads = AbandonedThreads()
    assert threads.submit(int, "7").result(10) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        threads.submit(int, "x").result(10)


def test_work_that_hangs() -> None:
    """The end waits for nothing, and the thread would not keep the program."""
    go_on = threading.Event()
    threads = AbandonedThreads()
    names: list[bool] = []

    def hang() -> None:
        names.append(threading.current_thread().daemon)
        go_on.wait(10)

    hanging = threads.submit(hang)
    threads.shutdown(wait=True)
    assert not hanging.done()
    go_on.set()
    hanging.result(10)
    assert names == [True]


def test_cancelled_before_it_began() -> None:
    """Work that nobody wants any more ends quietly."""
    future = AbandonedThreads().submit(int, "7")
    future.cancel()
    assert future.cancelled() or future.result(10) == 7
