"""What happens with a dialed number: numbering, redirect plan (pure), FastAGI routes, fallback table."""
