"""The world that a scenario starts from: stand-ins for the systems that the real desk works with."""
