"""HTTP/1.1 to one origin: the transport that the HTTP wires, `sge` and `ari`, stand on."""
