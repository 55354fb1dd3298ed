"""What everything stands on: errors, settings, executor, archives, monitoring."""
