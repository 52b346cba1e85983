"""Who may use the admin listener: roles, passwords, API keys, and how a request proves who sends it."""
