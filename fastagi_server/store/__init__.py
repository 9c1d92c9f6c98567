"""The records of the embedded SGE API, in SQLAlchemy Core."""
