"""What a folder of recordings would become, before any of it is taken in."""
