"""python -m experiments.need_study."""

from experiments.need_study.run import main

main()
