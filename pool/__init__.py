"""Numbers and leases: lifecycle rules, allocation, import, sizing, replay, and the database they live in.

Imports nothing of the other rooms.
"""
