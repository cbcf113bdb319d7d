"""An audit's result in other people's tools: pandas, Parquet, fairlearn, matplotlib, notebooks."""
