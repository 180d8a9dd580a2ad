"""One reader a file layout: a folder in, a table of what it holds out. `detect` chooses the reader."""
