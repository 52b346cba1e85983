"""The demo page: a small business's page with the widget on it, served only when `[http] demo` is on."""
