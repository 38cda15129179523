"""The public routes.

match             POST /match
session           signing in and out
forwarded         the table of routes that the retrieval service answers
forwarded_route   one of its routes
forwarded_router  the router of that table
forwarding        forwards a request to the retrieval service
webhooks          documents the events that the retrieval service sends
"""
