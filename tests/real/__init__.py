"""Real registries, filled by real clients, collected by the installed program, and pulled again."""
