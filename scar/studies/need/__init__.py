"""The need study, `scar experiment=need_study`, asks whether the predicted need is the real one."""
