"""What survives a long garbage collection is not looked at by the next ones."""

import subprocess
import sys

_CODE = """
import gc, weakref
from cxrcore.ui import collection
collection.LONGEST = 0.0
collection.install(); collection.install()
assert gc.callbacks.count(collection._observed) == 1
kept = [[number] for number in range(200_000)]
gc.collect()
print(gc.get_freeze_count() > 200_000, gc.get_count()[0] < 1000)
class Node: pass
lost = Node(); lost.me = lost; seen = weakref.ref(lost)
gc.freeze(); del lost; gc.collect()
print(seen() is not None)
collection._Frozen.complete -= 1000
gc.collect()
print(seen() is None)
"""


def test_survivors_of_a_long_collection_are_frozen_and_cycles_are_found_later():
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True", "True"]
