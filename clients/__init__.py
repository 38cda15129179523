"""Typed HTTP clients of the two services, used by the gateway and by the retrieval service.

base       the common part: connections, deadlines, errors
retrieval  the retrieval service
verifier   the verifier service
errors     errors between a process and a service
"""
