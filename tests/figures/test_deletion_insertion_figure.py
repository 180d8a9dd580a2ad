"""The figure of the deletion and insertion curves."""

from cxrcore.figures.deletion_insertion import MapCurves, curves


def test_both_curves_of_each_method_and_of_random_maps():
    method = MapCurves("a<b", [1.0, 0.5, 0.0], [0.0, 0.75, 1.0])
    figure = curves([method], MapCurves("random", [1.0, 0.75, 0.0], [0.0, 0.25, 1.0]))
    found = [(line.name, list(line.x), list(line.y), line.xaxis, line.line.dash) for line in figure.data]
    steps = [0, 0.5, 1]
    assert found == [
        ("a&lt;b", steps, [1, 0.5, 0], "x", None),
        ("a&lt;b", steps, [0, 0.75, 1], "x2", None),
        ("random", steps, [1, 0.75, 0], "x", "dash"),
        ("random", steps, [0, 0.25, 1], "x2", "dash"),
    ]
    assert [line.showlegend for line in figure.data] == [True, False, True, False]
