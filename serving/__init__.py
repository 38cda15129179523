"""Plumbing that every process shares: requests, queues, limits, errors, health. It knows nothing of places.

process        a FastAPI app with the parts below installed, and its uvicorn
errors         every failure becomes one JSON shape
uploads        bodies and forms read under limits, while they stream
batching       single calls gathered into batches for one blocking worker
admission      so many at once, the rest refused at once
loading        slow start-up behind a live process
health         live, ready, version
observability  request ids, log lines, Server-Timing
metrics        counts and times for Prometheus
security       headers that restrain browsers
openapi        documents forms and errors that FastAPI cannot infer
settings       base of the three settings classes
"""
