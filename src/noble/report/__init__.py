"""Static pages that show results: numbers, figures and the commands that made them. No script, no network."""
