"""Made-up songs: composed, played, mapped and written."""
