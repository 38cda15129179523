"""Typed HTTP clients of the two services, used by the gateway and by the retrieval service.

base       what they share: connections, deadlines, errors
retrieval  the retrieval service
verifier   the verifier service
errors     what can go wrong between a process and a service
"""
