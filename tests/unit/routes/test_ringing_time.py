"""How long a phone rang, from what Asterisk leaves on a channel."""

import pytest

from fastagi_server.routes.end import ringing_ms

NOTHING = {
    "RINGTIME_MS": "",
    "DIALEDTIME_MS": "",
    "ANSWEREDTIME_MS": "",
    "SGE_REGISTERED_AT_MS": "",
    "STRFTIME(,,%s%3q)": "1767268830500",
}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        ({"RINGTIME_MS": "4"}, None),
        ({"DIALEDTIME_MS": "9000"}, None),
        ({"RINGTIME_MS": "4", "DIALEDTIME_MS": "1257", "ANSWEREDTIME_MS": "665"}, 588),
        ({"RINGTIME_MS": "4", "SGE_REGISTERED_AT_MS": "1767268800000"}, 30_496),
        (
            {
                "RINGTIME_MS": "4",
                "DIALEDTIME_MS": "1257",
                "ANSWEREDTIME_MS": "665",
                "SGE_REGISTERED_AT_MS": "1767268800000",
            },
            588,
        ),
        ({"SGE_REGISTERED_AT_MS": "1767268800000"}, None),
        ({"RINGTIME_MS": "4", "SGE_REGISTERED_AT_MS": "1767268999999"}, 0),
        ({"RINGTIME_MS": "soon", "DIALEDTIME_MS": "1257"}, None),
        ({"RINGTIME_MS": "4", "SGE_REGISTERED_AT_MS": "17672688e5"}, None),
    ],
    ids=[
        "nothing was dialled",
        "no time of its end",
        "it never rang",
        "answered",
        "not answered",
        "answered, with both",
        "busy",
        "a clock that went back",
        "no number",
        "no instant",
    ],
)
def test_a_ring_lasts_from_its_begin_to_answer_or_end(
    facts: dict[str, str], expected: int | None
) -> None:
    """It is what is left of Dial's time, and None where nothing rang or nothing tells."""
    assert ringing_ms({**NOTHING, **facts}) == expected
