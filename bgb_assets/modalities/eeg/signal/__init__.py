"""From digital integers to filtered, normalised signals of one montage and one rate."""
