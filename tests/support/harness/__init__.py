"""What the end-to-end tests and the benches share: processes that cannot outlive a test, real services, /proc."""

from .crew import Crew
from .process import Ended, Process
from .sluice import Tunnel, sluice_binary

__all__ = ["Crew", "Ended", "Process", "Tunnel", "sluice_binary"]
