"""Both listeners, running for real, under schemathesis: all it sends and checks follows from /openapi.json.

No answer is a 5xx or undocumented in status, type, headers or content; what the description allows is taken,
what it forbids is refused; without a key there is nothing. `tests/bench/fuzz.py` does the same for minutes.
"""

from pathlib import Path

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.stage import Stage

SEED = 20_261_122
EXAMPLES = 30


@pytest.mark.timeout(900)
@pytest.mark.parametrize("listener", ["public", "admin"])
def test_nothing_breaks_and_nothing_is_untold(tmp_path: Path, listener: str) -> None:
    with Stage(tmp_path) as stage:
        found = fuzz(stage, listener, seed=SEED, examples=EXAMPLES)
    assert found.passed, found.report
    # Nothing but refusals would prove little: each operation also did what it is for.
    operations = {operation for operation, _ in found.seen}
    never = {one for one in operations if not any(found.seen[one, status] for status in (200, 204))}
    assert len(operations) >= 8
    assert never == set()
    assert not any(status == 429 for _, status in found.seen), "a limit cut the fuzzing short"
    assert stage.failures == []
