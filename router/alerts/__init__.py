"""Warning people by mail and webhook: what about (`notice`), when (`service`), whom (`receivers`)."""
