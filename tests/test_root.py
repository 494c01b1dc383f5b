import subprocess
import sys

import noble


def test_every_export_is_there_and_is_the_one_of_its_room():
    from noble.operator import Operator
    from noble.stimuli import Step

    assert noble.Operator is Operator
    assert noble.Step is Step
    for name in noble.__all__:
        assert getattr(noble, name) is not None
    assert set(noble.__all__) == {*noble._HOMES, "__version__"}


def test_importing_noble_loads_nothing_heavy():
    code = "import sys, noble; print([m for m in ('torch', 'arbor', 'zarr', 'efel', 'matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
