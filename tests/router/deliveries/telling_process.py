"""A process that tells a destination until it is killed: `python -m … STORE_URL TABLE_AS_JSON`."""

import asyncio
import json
import sys
from pathlib import Path

from pool.database import open_database
from pool.instants import now
from router.config.live import LiveConfig
from router.config.model import Config
from router.deliveries import lane
from router.deliveries.service import Deliveries
from router.store.visits import MIGRATIONS

# A destination is taken over soon after its holder died, and not from one that is merely slow.
lane.HOLD_MS = 1_500  # type: ignore[misc]
lane.RENEW_SECONDS = 0.3  # type: ignore[misc]
lane.LOOK_SECONDS = 0.05  # type: ignore[misc]
lane.PAUSE_SECONDS = (0.05, 0.1)  # type: ignore[misc]


async def main(store_url: str, table: str) -> None:
    database = await open_database(store_url)
    await database.migrate("router", MIGRATIONS)
    config = Config.model_validate({"delivery": [json.loads(table)]})
    await Deliveries(LiveConfig(Path("config.toml"), config), database, now=now).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
