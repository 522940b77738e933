"""What the agent is asked: one file for each kind of task. A new file needs its line here."""

from scenarios import questions, refunds  # noqa: F401
