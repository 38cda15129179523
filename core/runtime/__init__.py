"""What every model runs on.

devices          the device and number format of a model
cores            how many processor cores there are
constants        small tensors that stay on a device
threads          how many threads each numerical library may use
batch_norm       folded into the convolutions before it
second_thread    takes work off its callers while it has none
memory           gives freed memory back to the system
model_folder     the folder with a model's files, local or from a hub
model_hub        models from Hugging Face: the cached copy, or a download
modelscope       the same from ModelScope
downloads        how far a download is, and whether it fits and arrived whole
model_files      reads configuration and weight files
network_digest   identifies a loaded network by what moves its output
one_process      refuses use in a forked process
device_use       counts passes, their time, waiting and memory
bounded_forward  splits a batch that does not fit into the device's memory
combining        runs what several threads ask for together
bounded_cache    a cache bounded by bytes
keys             reads keys and tokens, and refuses those that no header may hold
cancellation     stops work whose caller is gone
stage_times      what the stages of a piece of work cost
"""
