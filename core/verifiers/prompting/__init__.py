"""What a vision-language model is asked, and what its reply means.

styles     the prompt styles
questions  asks one style's question about a pair
replies    a reply to a verdict
"""
