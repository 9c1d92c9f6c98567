"""The gateway handler: makes what browsers signal into legs of calls in Asterisk, and back."""
