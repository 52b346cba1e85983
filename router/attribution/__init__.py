"""Who brought a visit and who a caller was: pure rules over URLs, referrers and lease history."""
