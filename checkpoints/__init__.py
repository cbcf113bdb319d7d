"""The embedded models: a folder each, described by its model.json; installed as `styleT2I.checkpoints`."""
