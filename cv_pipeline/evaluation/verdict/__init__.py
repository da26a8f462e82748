"""Whether a model meets its project's requirements, and whether it becomes the champion."""
