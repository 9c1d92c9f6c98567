"""Handlers of what happens in Asterisk: one module a Stasis application, and who is live."""
