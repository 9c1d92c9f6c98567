"""Why something that should be trusted cannot be."""


class TrustError(ValueError):
    """A key or an account cannot be read; the text names the place, never the secret."""
