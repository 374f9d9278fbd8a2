"""The stages of Algorithm 1, each a plain function from upstream values and settings to one value.

`scar.job.algorithm` calls them in order. What a function reaches, and nothing else, is the code of its stage: it belongs
to the key of everything that the stage makes. Functions import torch and what brings it along when they run.
"""
