"""Algorithm 1: the order of the stages, what each is made from, and nothing else.

Each module adds a part to the one before: keys, inputs, probing (§3), planning (§4), and the job with its evaluation (§5.2).
"""

from scar.pipeline.job import Job
from scar.pipeline.keys import SUBJECTS, Arm

__all__ = ["SUBJECTS", "Arm", "Job"]
