"""Completion: from needs to a plan of what to add (§4.2)."""

from scar.completion.allocation import Allocation, allocate
from scar.completion.problem import CompletionPlan, CompletionProblem, Planner

__all__ = ["Allocation", "CompletionPlan", "CompletionProblem", "Planner", "allocate"]
