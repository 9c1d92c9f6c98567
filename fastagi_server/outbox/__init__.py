"""What the SGE API could not be told yet, kept on the disk until it can.

One SQLite file, shared by all processes of the service and by the command line.
"""
