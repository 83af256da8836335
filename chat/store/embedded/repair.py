"""``python -m chat.store.embedded.repair DIRECTORY``: cuts a damaged store where sense ends."""

import sys
from pathlib import Path

from chat.store.embedded import aof
from chat.store.embedded.datadir import DataDirectory, machine_boot
from chat.store.errors import CannotStart

__all__ = ["main", "repair"]


def repair(directory: Path) -> list[str]:
    """Cut the first damaged file of a store that is not running, and empty those after it.

    What is cut off is kept beside the file. The next start gives every conversation a new epoch.

    :returns: what was done, one sentence each.
    :raises CannotStart: the directory is in use, or holds no store.
    """
    home = DataDirectory(directory, machine_boot())
    if not home.append_only.exists():
        raise CannotStart(f"There is no store in {home.path}.")
    home.claim()
    try:
        if not home.claim_for_store():
            raise CannotStart(f"A store still runs in {home.path}: stop it first.")
        return _repair(home)
    finally:
        home.release()


def _repair(home: DataDirectory) -> list[str]:
    done: list[str] = []
    lost = False
    for path in aof.newest_files(home.append_only):
        damage = aof.find_damage(path)
        if damage is not None and damage.gaps:
            aof.close_gaps(damage)
            done.append(f"{path}: closed {len(damage.gaps)} gaps, in which nothing was missing.")
            damage = aof.find_damage(path)
        if lost and path.stat().st_size:  # what comes before it is gone
            damage = aof.Damage(path, 0, path.stat().st_size, torn=False)
        if damage is not None:
            lost = True
            kept = aof.cut(damage)
            done.append(f"{path}: kept {damage.good} of {damage.size} bytes, the rest is {kept}.")
    if lost:
        home.opened("everysec")
        home.lost()
    return done


def main(arguments: list[str]) -> int:
    """Repair the directory named on the command line; returns the exit code."""
    if len(arguments) != 1:
        print("Usage: python -m chat.store.embedded.repair DIRECTORY", file=sys.stderr)
        return 2
    try:
        done = repair(Path(arguments[0]))
    except (CannotStart, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(done or ["Nothing is damaged."]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
