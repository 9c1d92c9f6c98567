"""Asterisk's built-in database: values under family and key, trees of them deleted at once."""


class Database:
    """An empty AstDB. Families and keys are case-sensitive and may hold slashes."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, family: str, key: str) -> str | None:
        """Give the value, or `None` where nothing is stored."""
        return self.values.get(f"/{family}/{key}")

    def put(self, family: str, key: str, value: str) -> None:
        """Store `value`, replacing what was there."""
        self.values[f"/{family}/{key}"] = value

    def delete(self, family: str, key: str) -> None:
        """Remove one value. Asterisk 22 does not tell whether it was there."""
        self.values.pop(f"/{family}/{key}", None)

    def delete_tree(self, family: str, key_tree: str = "") -> bool:
        """Remove all below a family, or below a key of it; tell whether anything was there."""
        prefix = "".join(f"/{part}" for part in (family, key_tree) if part) + "/"
        doomed = [path for path in self.values if f"{path}/".startswith(prefix)]
        for path in doomed:
            del self.values[path]
        return bool(doomed)
