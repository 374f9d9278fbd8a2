"""python -m experiments.scale_invariance."""

from experiments.scale_invariance.run import main

main()
