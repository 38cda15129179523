"""The library: photo -> encoder -> gallery -> candidates -> verifier -> verdict.

Synchronous, importable in a notebook, and it has never heard of HTTP.

    m1_retrieval     M1GlobalRetrieval, the README's door to retrieval
    m3_verifier      LocalM3Verifier, the README's door to verification
    encoders/        photos in, unit vectors (and local features) out
    local_features/  keypoints and descriptors of one photo
    gallery/         the durable reference images and their vectors
    verifiers/       one query and its candidates in, verdicts out
    reranking        candidates and verdicts -> final order and decision
    images           bytes -> upright RGB, whatever the format
"""
