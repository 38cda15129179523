"""Identifies callers and checks what they may do.

exposure     which machines can reach an address
keys         the file of hashed API keys
sessions     browsers signed in with a key
identity     the caller of a request, passed from process to process
browsers     which web pages may send requests here
limits       rate limits
restriction  keys that are restricted to some collections
guard        the middleware and the dependency that apply all this to the routes
"""
