"""Work on whole galleries.

backup              copies of a gallery in use, and restoring them
reembedded_vectors  another encoder's vectors, gathered beside a gallery in use
encoder_switch      changes a gallery to another encoder, and back
"""
