"""Verdicts to one answer: all signals are joined into one score per place.

answer          the decision and the final order
evidence        what is known of each place, as numbers
rule            evidence to a score
acceptance      the threshold that holds, and whether a calibration is valid
location        the visitor's position as one signal
explanations    why this answer, in English and Chinese
matched_region  the part of a photo on which the points agree
"""
