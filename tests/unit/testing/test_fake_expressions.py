"""How the fake Asterisk evaluates `${...}`, each case as Asterisk 22.10 did it."""

import pytest

from fastagi_server.testing.asterisk.expressions import evaluate, names_in

VALUES = {"V": "hello", "NAME": "V", "E": "", "U": "é!", "F(a:b)": "f"}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("plain", "plain"),
        ("${V}", "hello"),
        ("a ${V} b", "a hello b"),
        ("${V}${V}", "hellohello"),
        ("${NOSUCH}", ""),
        ("${E}|", "|"),
        ("${}", ""),
        ("${${NAME}}", "hello"),
        ("${${NOSUCH}}", ""),
        ("${V:1:2}", "el"),
        ("${V:-2}", "lo"),
        ("${V:10}", ""),
        ("${V:-9}", "hello"),
        ("${V::2}", "hello"),
        ("${V:-3:2}", "ll"),
        ("${V:1:-1}", "ell"),
        ("${V:3:-4}", ""),
        ("${V:x}", "hello"),
        ("[${NOSUCH:1}]", "[]"),
        ("${F(a:b)}", "f"),
        ("${F(a:b):1}", ""),
        ("${V", "hello"),
        ("${", ""),
        ("$V $ {V}", "$V $ {V}"),
        ("a}b{c", "a}b{c"),
        ("$[1+1]", "$[1+1]"),
        ("${U:0:1}", "\udcc3"),
        ("${U:2}", "!"),
    ],
)
def test_evaluate(expression: str, text: str) -> None:
    """Values nest and are cut by bytes; a missing brace reaches to the end."""
    assert evaluate(expression, VALUES.get) == text


def test_names_in() -> None:
    """Every name that would be read is listed, the inner ones first."""
    assert names_in("${SHELL(${X})} ${Y:1}") == ["X", "SHELL()", "Y"]
