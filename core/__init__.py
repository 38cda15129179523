"""The library: photo -> encoder -> gallery -> candidates -> verifier -> verdict.

Synchronous, importable in a notebook, without any HTTP.

m1_retrieval     M1GlobalRetrieval: the public class that finds candidates
m3_verifier      LocalM3Verifier: the public class that verifies a pair
matching         both: a photo to an answer, for scripts and notebooks
results          the values that flow between the stages
errors           the tree of errors and what their messages say
registry         encoders and verifiers by name, imported when they are used
imaging/         bytes of a photo to upright RGB pixels, and back
runtime/         devices, threads, memory, weight files, cancellation
encoders/        a photo to an embedding and local features
local_features/  keypoints of a photo and how two photos agree on them
gallery/         the reference images, their places and their vectors
retrieval/       an embedding to ranked candidates
verifiers/       a photo and its candidates to verdicts
decision/        verdicts to one answer
calibration/     thresholds and confidences from measured answers
building/        folders and uploads to gallery images
evaluation/      how well matching works, measured
gallery_health/  what is wrong with a collection, and what to photograph next
journal/         past matches, feedback and background jobs
"""
