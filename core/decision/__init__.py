"""From candidates and verdicts to places, and to one answer: all signals joined into one score per place."""
