"""FastAGI call server: joins the Asterisk dialplan to the SGE VoIP API."""

__version__ = "0.1.0"
