"""Risk: decides on payments by rules and a fraud model over what customers did just before."""
