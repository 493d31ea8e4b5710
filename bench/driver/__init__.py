"""The benchmark's driver: Python's standard library and nothing else."""
