"""The public API and the page. It answers visitors; it knows the contracts, and nothing of models.

app           the gateway
dependencies  the parts that routes use
settings      its settings
access        who may call what
errors        failures of the services as its own answers
health        live, ready, version
routes/       the public routes
match/        POST /match
page/         what the page is served with
manage_keys   adds, lists and removes API keys
"""
