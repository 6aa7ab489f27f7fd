"""How long tests wait."""

import os

# The deadline for a condition to become true. It never takes nearly as long, even under sanitizers.
DEADLINE_S = int(os.environ.get("SCREENING_DEADLINE_S", "60"))
