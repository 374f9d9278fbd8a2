"""What every room uses: console, progress, files, memory, randomness. It knows nothing of datasets or probes."""
