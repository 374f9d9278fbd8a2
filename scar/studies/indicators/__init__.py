"""The indicator study, `scar experiment=indicators`: which dataset-scale indicator predicts accuracy."""
