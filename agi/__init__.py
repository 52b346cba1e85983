"""The Asterisk boundary: FastAGI codec and server, AMI connection, journal (CEL) reader, channel-variable names.

Imports nothing of the other rooms.
"""
