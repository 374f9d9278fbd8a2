"""The need study, `scar experiment=need_study`, asks whether the predicted need is the real one."""

from scar.studies.need.study import Settings, run, run_study

__all__ = ["Settings", "run", "run_study"]
