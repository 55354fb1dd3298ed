"""MRI scans in, lesion maps out."""
