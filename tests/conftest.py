"""What holds for every test."""

import os
import signal

from hypothesis import HealthCheck, settings

# A shell that runs the tests in the background has SIGINT ignored, which their children would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes tells of the machine. The gate gives one answer for one commit; elsewhere each run
# looks at examples of its own.
settings.register_profile(
    "leaseline",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("LEASELINE_GATE") == "1" or os.environ.get("CI") == "true",
)
settings.load_profile("leaseline")
