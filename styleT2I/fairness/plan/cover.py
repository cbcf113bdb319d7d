"""Who stands behind an audit and what for: facts of the plan that the page's cover shows, and nothing is drawn by."""

from __future__ import annotations

from dataclasses import dataclass, fields

from styleT2I.errors import ConfigError

__all__ = ["Cover", "check_cover"]

_MOST = 2000  # characters of a text


@dataclass(frozen=True)
class Cover:
    """Texts for the cover of the page. One that is empty is a blank line there, to be filled in by hand.

    They are no part of the plan's hash and of plan.lock: an approval is given after the plan was written.

    Example:
        >>> Cover(auditor="A. Auditor").approval
        ''
    """

    auditor: str = ""  # who audits: name and organisation
    intended_use: str = ""  # what the audited system is for
    affected_groups: str = ""  # whom its images may harm
    approval: str = ""  # who approved the plan, and when
    revision: str = ""  # of the report, and what changed since the one before


def check_cover(cover: Cover) -> None:
    """Refuse what no cover holds.

    Raises:
        ConfigError: A text is longer than 2,000 characters.

    Example:
        >>> check_cover(Cover(auditor="A. Auditor, Example Institute", intended_use="drafts of adverts"))
    """
    for entry in fields(cover):
        if len(text := getattr(cover, entry.name)) > _MOST:
            raise ConfigError(f"cover.{entry.name} has {len(text)} characters; write {_MOST} at most")
