"""No value of the environment can change what another says, whatever bytes it holds."""

from hypothesis import example, given
from hypothesis import strategies as st

from fastagi_server.agi.errors import AgiRequestError
from fastagi_server.agi.request import parse_request

TRUE = {
    "agi_network": "yes",
    "agi_network_script": "register",
    "agi_request": "agi://127.0.0.1/register",
    "agi_channel": "PJSIP/1002-1",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "17.4",
    "agi_version": "22.10.1",
    "agi_callerid": "1002",
    "agi_calleridname": "unknown",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "1001",
    "agi_rdnis": "unknown",
    "agi_context": "sky-genesis-voip",
    "agi_extension": "1001",
    "agi_priority": "2",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140582897739456",
}
OF_OTHERS = [
    "agi_network_script",
    "agi_request",
    "agi_callerid",
    "agi_calleridname",
    "agi_dnid",
    "agi_rdnis",
    "agi_context",
    "agi_extension",
    "agi_accountcode",
]
"""Lines whose values a caller or a dialplan may fill."""

INJECTED = st.lists(
    st.sampled_from([*TRUE, "agi_arg_1", "agi_arg_2", "agi_colour", "colour", ""]).flatmap(
        lambda key: st.sampled_from([f"{key}: evil", f"{key}:", key])
    ),
    min_size=1,
    max_size=16,
).map("\n".join)


def block(values: dict[str, str], *arguments: str) -> bytes:
    """The lines as Asterisk writes them."""
    lines = [f"{key}: {value}" for key, value in values.items()]
    lines += [f"agi_arg_{place}: {text}" for place, text in enumerate(arguments, 1)]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@given(st.sampled_from(OF_OTHERS), INJECTED)
@example("agi_network_script", "agi_callerid: evil")
@example("agi_callerid", "agi_calleridname: evil")
@example("agi_accountcode", "agi_arg_1: evil")
@example("agi_callerid", "\n".join(f"{key}: evil" for key in list(TRUE)[9:]))
def test_a_newline_before_the_arguments_changes_nothing_else(key: str, injected: str) -> None:
    """Either the block is refused, or all other lines and the arguments are as Asterisk said."""
    values = {**TRUE, key: f"{TRUE[key]}\n{injected}"}
    try:
        request = parse_request(block(values, "one", "two"))
    except AgiRequestError:
        return
    assert dict(request.variables) == TRUE
    assert request.arguments == ("one", "two")


@given(INJECTED)
@example("agi_callerid: evil")
@example("agi_arg_2: evil")
def test_a_newline_in_an_argument_changes_no_line(injected: str) -> None:
    """Either the block is refused, or the lines before and the argument behind are the true ones.

    What follows the last argument cannot be told from arguments, hence the one behind.
    """
    try:
        request = parse_request(block(TRUE, f"one\n{injected}", "two"))
    except AgiRequestError:
        return
    assert dict(request.variables) == TRUE
    assert request.arguments == ("one", "two")


@given(st.binary(max_size=200), st.sampled_from(OF_OTHERS))
def test_any_bytes_without_a_newline_survive(raw: bytes, key: str) -> None:
    """Values come back as the bytes they were."""
    raw = raw.replace(b"\n", b"")
    text = raw.decode("utf-8", "surrogateescape")
    request = parse_request(block({**TRUE, key: text}))
    assert request[key].encode("utf-8", "surrogateescape") == raw


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(raw: bytes) -> None:
    """No other error escapes."""
    try:
        request = parse_request(raw)
    except AgiRequestError:
        return
    assert request.unique_id == request["agi_uniqueid"]
