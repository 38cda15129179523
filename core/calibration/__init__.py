"""How sure must an answer be? From labelled or left-out queries to a threshold that keeps an operator's promise."""
