"""The embedded SGE VoIP API over HTTP: one module a resource."""
