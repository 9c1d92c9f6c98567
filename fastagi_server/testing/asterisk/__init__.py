"""The parts of the fake Asterisk, each holding one thing that the real one does.

The behaviour was measured on Asterisk 22.10 over real connections; where versions differ the
`agi_version` given decides. The public face is `fastagi_server.testing.fake_asterisk`.
"""
