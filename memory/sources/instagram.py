"""Reads the direct messages of an Instagram export, which are shaped as Messenger's."""

from functools import partial

from memory.sources import facebook

list_files = facebook.list_files
read_file = partial(facebook.read_file, source="instagram")
