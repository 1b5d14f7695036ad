"""Stories of the gate that really run, and the pages that they are told on.

`make cases` writes the pages anew, and `tests/test_cases.py` compares them with what the product does today. Each
story is played in a repository of its own, with real git, the real command and real HTTP on loopback; in the place of
each model stands a script.
"""
