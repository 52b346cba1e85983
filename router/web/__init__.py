"""The web listeners: the public one (widget, leases, demo page) and the admin one."""
