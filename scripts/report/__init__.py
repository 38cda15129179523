"""The report of an evaluation: one HTML file with pictures and figures, which needs no network."""
