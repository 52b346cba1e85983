"""How soon a line of the journal is read, and how fast a backlog is.

    python tests/bench/journal.py [--lines 300000] [--rate 300] [--seconds 5]

Latency: another process appends lines as cel_custom does (open, write, close), each carrying the instant at
which it was written; it is compared with the instant at which the reader gave it out.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from agi.journal import JournalReader

LINE = (
    '"{at}","CHAN_START","1763817000.{n}","1763817000.{n}","PJSIP/carrier-0000002a","442079460123","leaseline-in",'
    '"+447700900123","Ann","442079460123","","{{""hangupcause"":16,""dialstatus"":""ANSWER""}}"\n'
)


def append(path: Path, rate: float, seconds: float) -> None:
    started = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        now = time.time_ns() // 1000
        with path.open("a") as file:
            file.write(LINE.format(at=f"{now // 1_000_000}.{now % 1_000_000:06}", n=number))


async def latency(path: Path, rate: float, seconds: float, *, watch: bool) -> None:
    writer = multiprocessing.Process(target=append, args=(path, rate, seconds))
    delays: list[float] = []
    cpu = time.process_time()
    async with contextlib.aclosing(JournalReader(path, watch=watch).batches()) as batches:
        writer.start()
        async for batch in batches:
            now = time.time()
            delays += [(now - line.event.at_us / 1_000_000) * 1000 for line in batch]
            if len(delays) >= int(rate * seconds):
                break
    cpu = (time.process_time() - cpu) / len(delays) * 1000
    writer.join()
    delays.sort()
    print(
        f"{'watching' if watch else 'polling':<9} {rate:6.0f} lines/s: "
        f"p50 {delays[len(delays) // 2]:.1f} ms, p99 {delays[int(len(delays) * 0.99)]:.1f} ms, "
        f"max {delays[-1]:.1f} ms, CPU {cpu:.3f} ms/line"
    )


async def backlog(path: Path, lines: int) -> None:
    with path.open("w") as file:
        for number in range(lines):
            file.write(LINE.format(at="1763817000.123456", n=number))
    started, read, worst, last = time.perf_counter(), 0, 0.0, time.perf_counter()
    async with contextlib.aclosing(JournalReader(path).batches()) as batches:
        async for batch in batches:
            now = time.perf_counter()
            worst, last = max(worst, now - last), now
            read += len(batch)
            if read == lines:
                break
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"backlog of {lines}: {lines / seconds:,.0f} lines/s, {seconds / lines * 1e6:.1f} us/line, "
        f"longest hold of the loop {worst * 1000:.1f} ms, memory {memory:.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for index, (rate, watch) in enumerate(
            [(options.rate, True), (options.rate, False), (2000, True), (20, True)]
        ):
            asyncio.run(latency(Path(folder) / f"{index}.csv", rate, options.seconds, watch=watch))
        asyncio.run(backlog(Path(folder) / "backlog.csv", options.lines))


if __name__ == "__main__":
    main()
