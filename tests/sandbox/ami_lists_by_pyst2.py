"""AMI lists through pyst2, a client that shares no code with ours.

A program of its own, because pyst2 uses deprecated calls and leaves threads behind:
`python ami_lists_by_pyst2.py PORT USER SECRET < actions.json` prints for each action its response's headers
and the headers of each event that came until an event whose name ends in "Complete".
"""

from __future__ import annotations

import json
import os
import queue
import sys

from asterisk import manager


def main() -> int:
    """0; 1 when the login is refused."""
    port, user, secret = sys.argv[1:]
    client = manager.Manager()
    events: queue.Queue[dict[str, str]] = queue.Queue()
    client.register_event("*", lambda event, _: events.put(dict(event.headers)))
    client.connect("127.0.0.1", int(port))
    try:
        client.login(user, secret)
    except manager.ManagerAuthException as error:
        sys.stderr.write(f"{error}\n")
        return 1
    answers = []
    for action in json.load(sys.stdin):
        response = dict(client.send_action(action).headers)
        items: list[dict[str, str]] = []
        while response.get("EventList") == "start":
            item = events.get(timeout=10)
            if item.get("ActionID") != response.get("ActionID"):
                continue
            if item["Event"].endswith("Complete"):
                break
            items.append(item)
        answers.append({"response": response, "items": items})
    print(json.dumps(answers), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its reader thread would keep the process
