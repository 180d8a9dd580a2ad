"""Home: what the program does, existing datasets and runs, and the next step."""

from cxrcore import settings
from cxrcore.ui import entry, feedback
from cxrcore.ui.home import home, picture

entry.required()
picture.show()
with feedback.friendly():
    if settings.read_only():
        home.demonstration()
    else:
        home.workspace()
