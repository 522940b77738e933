"""{{ name }}: the support desk of a small shop. What belongs together has a folder of its own."""

from hud import Environment

env = Environment("{{ name }}")

# Last, because the modules in these folders do `from env import env` and add to it.
import scenarios  # noqa: E402, F401
import tools  # noqa: E402, F401
