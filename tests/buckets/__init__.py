"""Object stores as processes: the servers themselves, and what collectors ask of them."""
