"""Lines and the verdict."""

from services.cli.doctor.check import broken, ok, verdict, warning


def test_the_verdict_names_what_to_mend_first():
    """All well, warnings only, and the first of what is broken."""
    assert verdict([ok("a", ""), ok("b", "")]) == "nothing is broken, all 2 checks are well"
    assert verdict([ok("a", ""), warning("b", "", "m")]) == "nothing is broken, 1 warning"
    said = verdict([warning("a", "", "m"), warning("b", "", "m"), broken("c", "", "m"), broken("d", "", "m")])
    assert said == "2 of 4 checks broken, 2 warnings; begin with: c"
