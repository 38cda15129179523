"""What it costs and how good it is: each prints its figures against a named baseline."""
