"""Vision-language models behind OpenAI-compatible servers.

openai_compatible  the verifier
chat_servers       several servers as one
chat_server        requests to one server
chat_completions   the wire format of a question and its answer
completion_body    the body of a reply, in the forms in which servers write it
"""
