"""The plan of an audit: declared, checked, locked before the first image."""

from styleT2I.fairness.plan.audit_plan import (
    AS_DRAWN,
    AuditPlan,
    Comparison,
    Grid,
    Setting,
    checked_plan,
    load_plan,
    plan_hash,
)
from styleT2I.fairness.plan.thresholds import Threshold, Unprompted

__all__ = [
    "AS_DRAWN",
    "AuditPlan",
    "Comparison",
    "Grid",
    "Setting",
    "Threshold",
    "Unprompted",
    "checked_plan",
    "load_plan",
    "plan_hash",
]
