"""Maps written for the game, in any version: export, conversion, repair, light shows."""
