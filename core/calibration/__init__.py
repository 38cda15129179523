"""How sure an answer must be: thresholds that keep an operator's promise.

samples      one measured answer
calibration  a threshold and a confidence from samples
questions    thresholds of questions of several photos
bounds       exact intervals and thresholds that hold for unseen photos
reliability  confidences that mean what they say
"""
