"""Asks a running service for the state that the wallboard shows."""

import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

PATH = "/api/v1/voip/wallboard"

DEADLINE_SECONDS = 3.0

MAX_BYTES = 4 * 1024 * 1024
"""Of one answer; a full one has some 400 KB."""

Board = Mapping[str, Any]
"""What api.board_bodies.BoardBody describes."""


class AskError(Exception):
    """The service could not be asked; the text says why, and what may help."""


@dataclass(frozen=True, slots=True)
class Credential:
    """How to prove who asks: an API key, a token, or name and password; empty for nothing."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    password: tuple[str, str] | None = None

    @classmethod
    def from_text(cls, text: str) -> "Credential":
        """An API key, or `name:password` of an operator."""
        name, colon, password = text.strip().partition(":")
        if colon:
            return cls(password=(name, password))
        return cls({"X-API-Key": name} if name else {})

    @classmethod
    def bearer(cls, token: str) -> "Credential":
        """A token."""
        return cls({"Authorization": f"Bearer {token}"})


class Asking:
    """A connection to one service. Made by `open_asking`."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url

    def board(self) -> Board:
        """The present state. Raises AskError."""
        try:
            answer = self._client.get(PATH)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise AskError(f"nobody answers at {self._url} ({error}): does it run?") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AskError(f"{self._url}: {type(error).__name__} {error}".rstrip()) from None
        return _read(answer, self._url)


@contextmanager
def open_asking(
    url: str, credential: Credential, context: ssl.SSLContext | None = None
) -> Generator[Asking]:
    """Ask the service at `url`, such as http://127.0.0.1:8080; nothing is asked yet."""
    with httpx.Client(
        base_url=url,
        headers=dict(credential.headers),
        auth=credential.password,
        verify=context or ssl.create_default_context(),
        timeout=DEADLINE_SECONDS,
        trust_env=False,
    ) as client:
        yield Asking(client, url)


def _read(answer: httpx.Response, url: str) -> Board:
    document: Any = None
    if len(answer.content) <= MAX_BYTES:
        try:
            document = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            document = None
    if not _is_ours(document, is_success=answer.is_success):
        raise AskError(f"{url} answered {answer.status_code}: this is not the service")
    if answer.is_success:
        board: Board = document
        return board
    hint = ""
    if answer.status_code in {401, 403}:
        hint = (
            "; make a key by `fastagi-server keys create NAME --scope operator` and name its file"
            " with --key-file"
        )
    raise AskError(f"{url} refused: {document.get('message', answer.status_code)}{hint}")


def _is_ours(document: object, *, is_success: bool) -> bool:
    return isinstance(document, dict) and ("verdict" if is_success else "message") in document
