"""One scan as a file: headers, voxels, their digest, whether it is whole, and what is wrong with it."""
