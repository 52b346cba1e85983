"""`python -m dialplan FOLDER < settings.json`: render without the router, as the sandbox does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .render import Agent, DialplanError, DialplanSettings, Trunk, render, write


def main() -> int:
    """Write the files; 0, or 1 with one readable line per problem on standard error."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m dialplan FOLDER < settings.json\n")
        return 1
    try:
        given = json.load(sys.stdin)
        given["trunks"] = tuple(Trunk(**trunk) for trunk in given.get("trunks", ()))
        given["agents"] = tuple(Agent(**agent) for agent in given.get("agents", ()))
        write(render(DialplanSettings(**given)), Path(sys.argv[1]))
    except DialplanError as error:
        sys.stderr.writelines(f"dialplan: {problem}\n" for problem in error.problems)
        return 1
    except (TypeError, AttributeError, json.JSONDecodeError) as error:
        sys.stderr.write(f"dialplan: the settings on standard input: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
