"""A fake Asterisk as ARI shows it: HTTP and event sockets on loopback, channels and bridges behind.

`fake.FakeAri` is what tests use. What it answers and the order of its events are those of
Asterisk 22.10, and a test plays the same scenes on the real one.
"""
