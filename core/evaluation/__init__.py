"""How well matching works, and the questions that a calibration asks.

outcomes             what became of each query
curves               thresholds, reliability and confusions
calibration_queries  which photos a calibration asks about
simulated_photo      a gallery photo as a visitor might take it
"""
