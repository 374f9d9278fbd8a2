"""The commands ``scar``, ``scar-report`` and ``scar-admin``: one readable column each."""
