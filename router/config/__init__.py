"""The configuration: what may be set (`model`, `site`, `values`), how a file is read (`load`)."""

from router.config.load import ConfigError, load_config
from router.config.model import Config
from router.config.site import Site

__all__ = ["Config", "ConfigError", "Site", "load_config"]
