"""A small CSMS, a network and an agent process to test against, for `evse-agent demo`, the pytest plugin and our tests.

It needs the extra "bench" (`pip install 'evse-agent[bench]'`). Nothing here is loaded by the daemon.
"""
