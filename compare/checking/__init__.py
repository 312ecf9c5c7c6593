"""Somebody else's code, untouched, held against the contract. `run` leads through the rooms:

`process`, where the code runs, and nowhere else; `calling`, how a part of it is called, as data; `finding`, where the
code is, and which part of the network each class and function is, found out by trying; `frameworks`, a framework's
model in its place; `judging`, what is asked, and what answers are held against; `saying`, how that is said.
"""
