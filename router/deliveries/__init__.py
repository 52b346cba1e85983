"""Telling other systems of calls: which (`choosing`), as what (a file for each kind), when and how (`lane`).

Rules are pure; `sending` and the senders talk to the network; `service` runs a lane for each destination.
"""
