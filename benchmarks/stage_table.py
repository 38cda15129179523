"""Prints what the stages of matches cost: wall time, and CPU time beside it."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

_STAGES = {
    "decode": "retrieval_decode",
    "encode": "retrieval_encode",
    "search": "retrieval_vector_search",
    "local test": "retrieval_local_test",
    "further looks": "retrieval_further_looks",
    "second features": "retrieval_second_features",
    "verify, first stage": "verification_first_stage",
    "verify, second stage": "verification_second_stage",
}
# Parts of the search may overlap, so that only the whole of it can be subtracted from the time of a match.
_APART = (
    "retrieval_decode",
    "retrieval_encode",
    "retrieval_search",
    "verification_first_stage",
    "verification_second_stage",
)


def print_stages(name: str, matches: Sequence[tuple[Mapping[str, Any], float]]) -> None:
    """Print the means of all matches; what no stage accounts for is the gateway's, with all else of the process.

    Args:
        name: of the set of photos.
        matches: replies of ``POST /match``, and the CPU seconds of the whole product meanwhile.
    """
    wall = {stage: fmean(reply["timings_ms"].get(key, 0.0) for reply, _ in matches) for stage, key in _STAGES.items()}
    cpu = {
        stage: fmean(reply.get("cpu_ms", {}).get(key, 0.0) for reply, _ in matches) for stage, key in _STAGES.items()
    }
    totals = fmean(reply["timings_ms"]["total"] for reply, _ in matches), fmean(spent for _, spent in matches) * 1000
    wall["gateway, all else"] = totals[0] - sum(
        fmean(reply["timings_ms"].get(key, 0.0) for reply, _ in matches) for key in _APART
    )
    cpu["gateway, all else"] = totals[1] - sum(cpu.values())
    print(f"\n{name}, mean of {len(matches)} matches {'wall ms':>9} {'CPU ms':>9}")
    for stage in wall:
        print(f"  {stage:26} {wall[stage]:9.1f} {cpu[stage]:9.1f}")
    print(f"  {'total':26} {totals[0]:9.1f} {totals[1]:9.1f}", flush=True)
