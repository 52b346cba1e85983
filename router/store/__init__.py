"""The router's own tables: visits, calls, deliveries. SQL in `sql/`, one module per kind of thing stored."""
