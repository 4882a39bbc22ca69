"""What several test suites share: stores, programs, oracles."""
