"""How well matching works: outcomes, curves, and the questions a calibration asks."""
