"""Graders under the import path of Python hud 5: `from hud.native.graders import Grade, BashGrader`.

The ready-made chat environment, permission layer and skills of that package are not part of hud.
"""

from hud.native import graders

__all__ = ["graders"]
