"""What all processes share: requests, queues, limits, errors, health. It knows no images and no places.

process        a FastAPI app with the parts below installed, and its uvicorn server
connections    uvicorn's HTTP protocol with timeouts for slow requests and unread answers
settings       the base of the settings classes
loading        a slow start behind a live process
ending         a process that cannot go on ends with an error
health         live, ready, version
probe          the health check of a container
errors         every failure as one JSON shape
validation     what is wrong with a value, in one sentence
openapi        documents forms and errors that FastAPI cannot infer
idempotency    the header that names a write
uploads        bodies and forms, read under limits while they stream
ranges         which part of a file a player asks for
form_text      texts and file names of forms, in any encoding and notation
body_slots     how many bodies are received at once
admission      how many requests are admitted, and when to refuse
path_prefix    the path under which a proxy publishes the product
deadlines      cancels work whose caller is gone
batching       single calls joined into batches for a blocking worker
workers        a pool of threads for blocking work
languages      the languages that a caller asks for
roles          what a caller may do
routers        routes that authorize their callers, prepared once
auth/          keys, sessions, rate limits
audit          who changed what
secrets        texts without the secrets of this process
security       headers that restrain browsers
observability  request ids, log lines, Server-Timing
metrics        counts and times for Prometheus
tracing        OpenTelemetry spans
"""
