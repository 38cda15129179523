"""HTTP clients: typed ones of the two services, and one that sends events to a webhook.

base       the common part: connections, deadlines, errors
retrieval  the retrieval service
verifier   the verifier service
webhooks   signed events to an address of the operator's choice
errors     errors between a process and a service
"""
