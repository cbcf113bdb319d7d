"""Builds of several commands, a stage each, done one after the other and gone on with after an interruption."""
