"""One call through everything, shown from each side and held against what it should be.

    python -m lab.demo [--fake]

With the lab's Asterisk and SIP phones where this machine can have them, else with the shipped fake
Asterisk. Unlike the rest of the lab it needs the service's dependencies.
"""
