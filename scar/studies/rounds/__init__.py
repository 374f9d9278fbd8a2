"""Buying data in rounds until a target is reached, simulated on data whose labels are known."""
