"""What may go wrong on the way to the SGE API.

    SgeError
    ├── AddressError       the configured base URL is none
    ├── CredentialError    the configured token or key cannot be had
    └── AnswerError        a success whose body is not what the contract says

The first two are errors of the configuration, raised when the program starts. What goes wrong
with a request is told in the words of the port that `SgeClient` implements, so that nobody but
this package knows HTTP: `registration.ports.RefusedError` and `UnavailableError`.
"""


class SgeError(Exception):
    """Root of the errors of this package."""


class AddressError(SgeError):
    """The base URL of the API cannot be used."""


class CredentialError(SgeError):
    """The credential cannot be read, or is not one that fits in a header."""


class AnswerError(SgeError):
    """The body of an answer is not what the contract says."""
