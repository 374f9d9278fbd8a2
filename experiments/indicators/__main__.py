"""python -m experiments.indicators."""

from experiments.indicators.run import main

main()
