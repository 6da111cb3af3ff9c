"""`swapmark doctor`: is this machine ready, and if not, what to do."""


def doctor(*, json: bool = False) -> None:
    """Check this machine: versions, devices, disk, decoding, and what is wrong.

    Takes a few seconds. Paste its output into a report of a fault.

    Parameters
    ----------
    json
        Print everything as JSON, for programs.
    """
    from swapmark.environment import diagnose

    diagnosis = diagnose()
    print(diagnosis.to_json() if json else diagnosis.to_text())
