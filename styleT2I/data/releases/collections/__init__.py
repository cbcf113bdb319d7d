"""Captioned images that anybody put together: tar shards, Parquet files, data sets of the Hub."""
