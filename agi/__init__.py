"""The Asterisk boundary: FastAGI codec and server, AMI connection, journal (CEL) reader, variable names.

Imports nothing of the other rooms.
"""
