"""Completion: from needs to a plan of what to add (§4.2)."""

from scar.completion.allocation import Allocation, allocate
from scar.completion.plan import CompletionPlan
from scar.completion.problem import CompletionProblem, Planner

__all__ = ["Allocation", "CompletionPlan", "CompletionProblem", "Planner", "allocate"]
