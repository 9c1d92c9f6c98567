"""What a caller hears and keys in before he is in a room."""

import asyncio
import uuid

from fastagi_server.ari.client import AriClient
from fastagi_server.ari.errors import AriError

PROMPT_SECONDS = 10.0
"""The longest that a prompt is waited for."""

KEYS_SECONDS = 20.0
"""How long a caller may take to key something in, after the prompt."""

MAX_KEYS = 128
END_KEY = "#"


class Keypad:
    """The keys that one caller presses; those that nobody asks for in time are dropped."""

    def __init__(self) -> None:
        self._keys: asyncio.Queue[str] = asyncio.Queue(MAX_KEYS)

    def press(self, key: str) -> None:
        """A key was pressed."""
        if not self._keys.full():
            self._keys.put_nowait(key)

    async def read(self) -> str:
        """The keys before `#`; what there is when it takes longer than 20 s."""
        keys = ""
        try:
            async with asyncio.timeout(KEYS_SECONDS):
                while len(keys) < MAX_KEYS:
                    key = await self._keys.get()
                    if key == END_KEY:
                        break
                    keys += key
        except TimeoutError:
            pass
        return keys


class Prompter:
    """Plays prompts to single callers, each to its end."""

    def __init__(self, ari: AriClient) -> None:
        self._ari = ari
        self._playing: dict[str, asyncio.Event] = {}

    def finished(self, playback_id: str) -> None:
        """A sound is over."""
        over = self._playing.get(playback_id)
        if over is not None:
            over.set()

    async def play(self, channel_id: str, sound: str) -> None:
        """Play one of Asterisk's sounds; one that cannot be played is left out."""
        playback_id = f"sge-prompt-{uuid.uuid4()}"
        over = self._playing[playback_id] = asyncio.Event()
        try:
            await self._ari.play(channel_id, media=f"sound:{sound}", playback_id=playback_id)
            async with asyncio.timeout(PROMPT_SECONDS):
                await over.wait()
        except (AriError, TimeoutError):
            return
        finally:
            del self._playing[playback_id]
