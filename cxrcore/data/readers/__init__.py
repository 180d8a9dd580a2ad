"""One reader for each file layout: from a tree of files to a table of images. `detect` chooses the reader."""
