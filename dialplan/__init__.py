"""What is installed on the PBX: extensions, CEL, AMI and PJSIP snippets, prompts, and their renderer.

Imports nothing of the other rooms.
"""
