"""The public API and the page. It answers visitors; it uses the contracts and contains no models.

app           the gateway
dependencies  the parts that routes use
settings      its settings
access        who may call the gateway
errors        the HTTP status and code of every service error
health        live, ready, version
routes/       the public routes
match/        POST /match
page/         serves the page
manage_keys   adds, lists and removes API keys
"""
