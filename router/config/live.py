"""The configuration in force, and its reload: a bad file is refused whole and the old one goes on."""

from collections.abc import Callable
from pathlib import Path

import structlog

from router.config.load import ConfigError, load_config
from router.config.model import Config

log = structlog.get_logger(__name__)

# Listeners and files are opened once: these tables take effect at the next start.
NEEDS_RESTART = ("node", "storage", "pool", "fastagi", "ami", "http", "journal", "cdr")


class LiveConfig:
    """Holds the configuration; whoever needs it asks `current` each time."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.current = config
        self._followers: list[Callable[[Config], None]] = []

    def follow(self, follower: Callable[[Config], None]) -> None:
        """Call `follower` with the new configuration after each reload."""
        self._followers.append(follower)

    def reload(self) -> bool:
        """Read the file again; False, with every error logged, when it is refused."""
        try:
            config = load_config(self.path)
        except ConfigError as error:
            log.error("config.refused", path=str(self.path), problems=list(error.problems))
            return False
        changed = [
            name for name in Config.model_fields if getattr(config, name) != getattr(self.current, name)
        ]
        restart = [name for name in changed if name in NEEDS_RESTART]
        self.current = config
        log.info("config.reloaded", path=str(self.path), changed=changed, after_restart=restart)
        for follower in self._followers:
            follower(config)
        return True
