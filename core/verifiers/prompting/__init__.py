"""Questions to a vision-language model, and how its replies are read.

styles     the prompt styles
questions  asks one style's question about pairs
replies    from a reply to a confidence
"""
