"""How work is graded: from the state of the world, not from what the agent says it did."""
