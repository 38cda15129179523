"""Vision-language models behind OpenAI-compatible servers.

openai_compatible  the verifier
chat_servers       several servers used as one
chat_server        requests to one server
chat_completions   the wire format of a question and its answer
completion_body    reads the reply formats of different servers
"""
