"""Data sets as they are downloaded, read in place: one file per release, opened by `opening.open_release`."""
