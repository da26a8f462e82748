"""What is opened when the inspector starts, and what is left to the pages."""

from __future__ import annotations

from cv_pipeline.inspector.warm_up import WarmUp


class Opened:
    """Stands in for a workspace of which one project cannot be opened, and says what was asked."""

    def __init__(self, workspace):
        self._workspace = workspace
        self.asked = []

    def project_names(self):
        return ["broken", "large"]

    def snapshot(self, project):
        self.asked.append(project)
        if project == "broken":
            raise OSError("it is gone")
        return self._workspace.snapshot(project)

    def evaluated(self, project):
        return self._workspace.evaluated(project)

    @property
    def kept(self):
        return self._workspace.kept


def test_a_lake_that_cannot_be_opened_holds_up_no_other(inspected):
    opened = Opened(inspected().app.state.workspace)
    warm_up = WarmUp(opened)
    warm_up.start()
    warm_up._thread.join(60)
    assert opened.asked == ["broken", "large"]


def test_it_ends_with_the_inspector(inspected):
    opened = Opened(inspected().app.state.workspace)
    warm_up = WarmUp(opened)
    warm_up._ended.set()
    warm_up.start()
    warm_up.end()
    assert opened.asked == []
