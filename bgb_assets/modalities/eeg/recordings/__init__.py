"""Recording files of many formats: electrodes by exact name, digital values as they lie, one timeline."""
