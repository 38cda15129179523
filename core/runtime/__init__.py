"""What every model runs on.

devices          the device and number format of a model
threads          how many threads each numerical library may use
memory           gives freed memory back to the system
model_files      finds and identifies weight files
bounded_forward  splits a batch that does not fit into the device's memory
bounded_cache    a cache bounded by bytes
cancellation     stops work whose caller is gone
"""
