"""Every scan on one grid: where its voxels go, what they become there, and the files that hold them."""
