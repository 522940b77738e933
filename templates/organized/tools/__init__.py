"""What the agent can do: one file for each thing it acts on. A new file needs its line here."""

from tools import orders  # noqa: F401
