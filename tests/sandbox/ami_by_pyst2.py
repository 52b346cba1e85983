"""AMI actions through pyst2, a client that shares no code with ours: a second opinion.

A program of its own, because pyst2 uses deprecated calls and leaves threads behind:
`python ami_by_pyst2.py PORT USER SECRET < actions.json` prints what each action was answered as JSON.
"""

from __future__ import annotations

import json
import os
import sys

from asterisk import manager


def main() -> int:
    """0; 1 when the login is refused."""
    port, user, secret = sys.argv[1:]
    client = manager.Manager()
    client.connect("127.0.0.1", int(port))
    try:
        client.login(user, secret)
    except manager.ManagerAuthException as error:
        sys.stderr.write(f"{error}\n")
        return 1
    answers = []
    for action in json.load(sys.stdin):
        headers = client.send_action(action).headers
        answers.append("Success" if headers["Response"] != "Error" else headers.get("Message"))
    print(json.dumps(answers), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its reader thread would keep the process
