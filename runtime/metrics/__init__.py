"""Metrics: what an operator's Prometheus reads and alarms on, worked out from the shared stores when it asks.

Several processes answer on one port, so that a counter in one of them would tell a part of the truth: what is told
here is the same whichever process is asked. How many calls there were, and how they went, stands in the usage lake.
"""
