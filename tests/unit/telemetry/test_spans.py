"""Spans as values: ids that a key decides, and the header of W3C Trace Context."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi_server.telemetry.spans import Span, ids_of


def test_a_key_decides_the_trace() -> None:
    """The same key in another process gives the same ids."""
    assert ids_of("agi-pbx-17.4") == (
        0x34A106697E5146F7A83549BE554E4400,
        0xDFF4AD2F6360A356,
    )
    assert ids_of("agi-pbx-17.5") != ids_of("agi-pbx-17.4")


@given(st.text(st.characters(), max_size=50))
def test_ids_of_any_key_are_good(key: str) -> None:
    """Never zero, which stands for none, and never too large."""
    trace_id, span_id = ids_of(key)
    assert 0 < trace_id < 2**128
    assert 0 < span_id < 2**64


def test_joining_a_trace() -> None:
    """A span that began alone becomes part of the call's; one that is part of a trace stays."""
    span = Span("AGI session")
    own = span.span_id
    span.join("agi-pbx-17.4")
    assert (span.trace_id, span.parent_id) == ids_of("agi-pbx-17.4")
    assert span.span_id == own
    span.join("agi-pbx-17.5")
    assert span.trace_id == ids_of("agi-pbx-17.4")[0]


def test_a_child() -> None:
    """Same trace, the parent's id, its own id."""
    parent = Span("AGI session")
    child = parent.child("SGE register", "client")
    assert (child.trace_id, child.parent_id) == (parent.trace_id, parent.span_id)
    assert child.span_id != parent.span_id
    assert (child.name, child.kind) == ("SGE register", "client")


def test_the_header() -> None:
    """Version, trace, parent and the flag for sampled; what it says is read back."""
    span = Span("x", trace_id=0xABC, span_id=0xDEF)
    assert span.traceparent == b"00-00000000000000000000000000000abc-0000000000000def-01"
    read = Span.from_traceparent(span.traceparent, "API")
    assert (read.trace_id, read.parent_id, read.kind) == (0xABC, 0xDEF, "server")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-abc-def-01",
        b"00-" + b"0" * 32 + b"-0000000000000def-01",
        b"00-" + b"a" * 32 + b"-" + b"0" * 16 + b"-01",
        b"00-" + b"A" * 32 + b"-0000000000000def-01",
        b"00-" + b"a" * 32 + b"-0000000000000def-01-more",
        b"\xff" * 55,
    ],
)
def test_a_header_that_is_no_good(header: bytes) -> None:
    """A client's nonsense begins a trace of its own."""
    span = Span.from_traceparent(header, "API")
    assert span.parent_id is None
    assert span.trace_id
