"""The application: configuration, routing, attribution, CDRs, store, web, deliveries and command line.

May import the rooms `pool`, `agi` and `dialplan`; none of them imports this one.
"""
