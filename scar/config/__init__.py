"""The configuration: typed nodes, the schema of a run, and the checks of combinations."""
