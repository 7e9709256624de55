"""The overview: the whole system on one page, each number a way into the list.

`page` is the view, `reading` reads, `cards`, `graphs` and `tables` make plain data for the templates, `geometry` makes paths of numbers.
"""
