"""The recipe of the how-to page."""

import re
import time
from pathlib import Path
from typing import Any

from fastagi_server.webhooks.signature import sign

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md"


def test_the_recipe_tells_who_sent_it() -> None:
    """What the page says to check a delivery with takes ours, and nobody else's."""
    (recipe,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(recipe, names)
    is_genuine = names["is_genuine"]
    header = sign(b"secret", b"{}", int(time.time()))
    assert is_genuine(header, b"secret", b"{}")
    assert not is_genuine(header, b"other", b"{}")
    assert not is_genuine(header, b"secret", b"[]")
    assert not is_genuine(sign(b"secret", b"{}", 1000), b"secret", b"{}")
