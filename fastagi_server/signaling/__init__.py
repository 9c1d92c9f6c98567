"""Signaling topic: what the parties of a call tell each other, and Asterisk, to set up media."""
