"""What holds for the whole run."""

import gc


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which live until the end.

    Looking through them takes long enough, on a busy machine, for deadlines to pass in a test.
    """
    gc.collect()
    gc.freeze()
