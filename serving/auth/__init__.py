"""Who is asking, and whether they may.

exposure   who could reach an address at all
keys       the file of hashed API keys
sessions   browsers that have shown a key
identity   who a request comes from, handed from process to process
browsers   which web pages may send requests here
limits     how many requests in a minute
guard      the middleware and the dependency that put all this around the routes
"""
