"""What people noted beside recordings, in every layout it comes in, as one list of events."""
