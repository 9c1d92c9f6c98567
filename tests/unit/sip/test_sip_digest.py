"""Digest answers, against the literal examples of the RFCs."""

import pytest

from fastagi_server.sip.digest import Challenge, authorization, best_challenge
from fastagi_server.sip.errors import SipSyntaxError

RFC2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int",'
    ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
    ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def test_the_example_of_rfc_2617() -> None:
    """Section 3.5: MD5 with qop=auth."""
    assert authorization(
        Challenge.parse(RFC2617),
        username="Mufasa",
        password="Circle Of Life",
        method="GET",
        uri="/dir/index.html",
        nc=1,
        cnonce="0a4f113b",
    ) == (
        'Digest username="Mufasa", realm="testrealm@host.com",'
        ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html",'
        ' response="6629fae49393a05397450978507c4ef1", algorithm=MD5,'
        ' opaque="5ccc069c403ebaf9f0171e9517f40e41", qop=auth, nc=00000001, cnonce="0a4f113b"'
    )


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str) -> None:
    """Section 3.9.1: the same request with both algorithms."""
    value = authorization(
        Challenge.parse(RFC7616.format(algorithm=algorithm)),
        username="Mufasa",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        nc=1,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert f'response="{response}"' in value
    assert f"algorithm={algorithm}," in value


def test_a_server_without_quality_is_answered_the_old_way() -> None:
    """RFC 2069: neither count nor client nonce; the value was computed with md5sum."""
    value = authorization(
        Challenge.parse('Digest realm="asterisk", nonce="n"'),
        username="u",
        password="p",
        method="REGISTER",
        uri="sip:h",
        nc=1,
        cnonce="c",
    )
    assert value == (
        'Digest username="u", realm="asterisk", nonce="n", uri="sip:h",'
        ' response="3e5e8a9d9b05e0f38d421c4780d4e70b", algorithm=MD5'
    )


def test_the_body_counts_where_nothing_else_is_offered() -> None:
    """With auth-int alone; with both, auth is taken and the body does not matter."""
    challenge = Challenge.parse('Digest realm="r", nonce="n", qop="auth-int"')

    def answer(challenge: Challenge, body: bytes) -> str:
        return authorization(
            challenge,
            username="u",
            password="p",
            method="INVITE",
            uri="sip:h",
            nc=26,
            cnonce="c",
            body=body,
        )

    assert ", qop=auth-int, nc=0000001a, " in answer(challenge, b"x")
    assert answer(challenge, b"x") != answer(challenge, b"y")
    both = Challenge.parse(RFC2617)
    assert answer(both, b"x") == answer(both, b"y")


def test_names_with_quotes_stay_in_their_quotes() -> None:
    """Of the user and of the realm."""
    value = authorization(
        Challenge.parse('Digest realm="a\\"b", nonce="n"'),
        username='u", response="x',
        password="p",
        method="BYE",
        uri="sip:h",
        nc=1,
        cnonce="c",
    )
    assert value.startswith('Digest username="u\\", response=\\"x", realm="a\\"b", nonce="n", ')


def test_a_challenge_is_read_in_any_order_and_case() -> None:
    """Unknown parameters are passed over, blanks and empty elements too."""
    value = 'dIGEST stale=TRUE,, x=y, NONCE = "a,b" ,algorithm="md5",realm="",qop=AUTH'
    assert Challenge.parse(value) == Challenge("", "a,b", "MD5", ("auth",), None, stale=True)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        'Basic realm="x"',
        'Digest realm="x"',
        'Digest nonce="x"',
        'Digest realm="x", nonce="y',
        'Digest realm="x", nonce="y", flag',
        'Digest realm="x", nonce="y", a b="c"',
        'Digest realm="x", nonce="y"z',
    ],
)
def test_no_challenge_is_refused(value: str) -> None:
    """Other schemes and what lacks its parts."""
    with pytest.raises(SipSyntaxError):
        Challenge.parse(value)


def test_the_strongest_challenge_is_answered() -> None:
    """SHA-256 before MD5 in any order; what is not known or cannot be read is passed over."""
    md5, sha = RFC7616.format(algorithm="MD5"), RFC7616.format(algorithm="SHA-256")
    for values in ([md5, sha], ["Basic x", sha, "Digest", md5]):
        chosen = best_challenge(values)
        assert chosen is not None
        assert chosen.algorithm == "SHA-256"
    unknown = RFC7616.format(algorithm="SHA-512-256")
    session = RFC7616.format(algorithm="MD5-sess")
    quality = 'Digest realm="r", nonce="n", qop="none-such"'
    assert best_challenge([unknown, session, quality]) is None
    assert best_challenge([]) is None
