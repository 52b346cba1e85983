"""Reports on both databases."""

from tests.router.store.conftest import database, postgresql_server, store_url

__all__ = ["database", "postgresql_server", "store_url"]
