"""POST /match: from the photo to the answer.

pipeline      retrieval, then verification
answers       the reply
copies        photos that were sent twice
events        the reply as server-sent events
breaker       stops asking a verifier that fails
log           sends matches to the retrieval service's journal
metrics       answers by outcome
recent_times  the stage times of recent matches
languages     the language of a reply
"""
