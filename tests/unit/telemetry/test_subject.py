"""What the running task is about: told once, known to all that the task does."""

import asyncio

from fastagi_server.telemetry.subject import Subject, current, ids_in, learn


async def test_a_task_hands_its_call_on() -> None:
    """Tasks that a task makes are about the same call; its neighbours are not."""
    seen: dict[str, Subject | None] = {}

    async def inner() -> None:
        seen["inner"] = current.get()

    async def outer(about: Subject) -> None:
        current.set(about)
        await asyncio.create_task(inner())

    about = Subject("17.4")
    await asyncio.create_task(outer(about))
    assert seen == {"inner": about}
    assert current.get() is None


def test_what_is_not_known_is_not_told() -> None:
    """Only ids that are there."""
    assert ids_in(Subject("17.4", call="c1")) == {"unique_id": "17.4", "call": "c1"}
    assert ids_in(Subject()) == {}


async def test_learning() -> None:
    """What is found out is added, and nothing known is lost by an empty value."""

    async def work() -> Subject:
        about = Subject("17.4", linked_id="17.0")
        current.set(about)
        learn(call="c1")
        learn(linked_id="", call="")
        return about

    assert ids_in(await asyncio.create_task(work())) == {
        "unique_id": "17.4",
        "linked_id": "17.0",
        "call": "c1",
    }


def test_learning_of_no_call() -> None:
    """Outside of any call it is nobody's."""
    learn(call="c1")
    assert current.get() is None
