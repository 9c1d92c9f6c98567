"""Shipped doubles that speak the real protocols, for people who write routes and for our own tests.

* `fake_asterisk.FakeAsterisk` is the Asterisk side of one channel that runs `AGI(agi://...)`;
* `ari.fake.FakeAri` is an Asterisk as its REST interface shows it, with phones that a test moves;
* `sge.FakeSge` is an SGE API that obeys, refuses, stalls or lies;
* `proxy.TcpProxy` sits between two parties and cuts, stalls, delays and trickles;
* `serving` runs routes on the real FastAGI server, on loopback;
* `pytest_plugin` offers these as fixtures; `caller` is the logic of `fastagi-server call`.

No double imports `fastagi_server.agi` or `fastagi_server.ari`: a double that shared the parser
would share its bugs.
This module imports nothing, so that registering the pytest plugin costs nothing.
"""
