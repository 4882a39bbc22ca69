"""Retention rules of other systems, turned into a policy. What becomes what is in ``docs/policy-import.md``.

An import never removes more than the original would. What cannot be said is refused; where the result keeps more, a
comment beside the rule and a warning say so.
"""
