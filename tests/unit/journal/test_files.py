"""The real directory."""

from __future__ import annotations

import threading
from pathlib import Path

from cardd.journal.files import DirectoryFiles


def test_threads_that_list_at_once_each_see_every_name(tmp_path: Path) -> None:
    wanted = {f"journal-{number:015d}.jsonl" for number in range(50)}
    for name in wanted:
        (tmp_path / name).touch()
    files = DirectoryFiles(tmp_path)
    missed: list[int] = []

    def look() -> None:
        for _ in range(300):
            seen = set(files.names())
            if seen != wanted:
                missed.append(len(seen))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files.close()
    assert missed == []
