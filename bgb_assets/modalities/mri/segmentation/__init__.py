"""What a trained model does for a person: a scan in, its lesion as a mask on the scan's own grid out."""
