"""A fake Asterisk as its manager interface shows it: actions, lists and events on loopback.

`fake.FakeAmi` is what tests use; `exchange.Exchange` makes the events of calls. What they say is
what Asterisk 22.10 says, and a test plays the same scenes on the real one.
"""
