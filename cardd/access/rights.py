"""Rights by profession and kind of document ("habilitations"): who may read and who may write what.

To read is to decrypt, to write is to sign. The kind is the application's word, so a table takes away and never gives:
what it allows is still for polkit and the rules to decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cardd.access.actions import Action
from cardd.access.rules import UNSTATED, AccessRequest, Decision, Effect, RuleSource

READ_OR_WRITE: Final[Mapping[Action, str]] = MappingProxyType({Action.DECRYPT: "read", Action.SIGN: "write"})


@dataclass(frozen=True, slots=True)
class Right:
    """What the holders of some cards may do.

    Args:
        source: where it stands.
        card_types: CPS, CPF, CPE, CPA.
        professions: codes; empty for all of these card types.
        read, write: kinds of documents; "*" for all, `UNSTATED` for an application that states none.
    """

    source: RuleSource
    card_types: frozenset[str]
    professions: frozenset[int]
    read: frozenset[str]
    write: frozenset[str]

    def kinds(self, action: Action) -> frozenset[str]:
        """The kinds that an action may be done to."""
        return self.read if READ_OR_WRITE[action] == "read" else self.write


class RightsTable:
    """The table.

    Args:
        rights: its rows; a holder who is in several has what each of them gives.
    """

    def __init__(self, rights: Sequence[Right]) -> None:
        self._by_profession: dict[tuple[str, int | None], list[Right]] = {}
        for right in rights:
            for card_type in right.card_types:
                for profession in right.professions or (None,):
                    self._by_profession.setdefault((card_type, profession), []).append(right)

    def refusal(self, request: AccessRequest) -> Decision | None:
        """The decision of the table where it refuses; None where it has nothing against it.

        It speaks of decrypting and of signing with the signature key, and refuses holders who are in no row.
        """
        verb = READ_OR_WRITE.get(request.action)
        if verb is None or (request.action is Action.SIGN and request.key != "signature"):
            return None
        rows = self._rows(request)
        for right in rows:
            kinds = right.kinds(request.action)
            if request.document_kind in kinds or (request.document_kind != UNSTATED and "*" in kinds):
                return None
        if not rows:
            return Decision(Effect.DENY, None, f"the table of rights has no row for this holder, who would {verb}")
        kind = "without a stated kind" if request.document_kind == UNSTATED else f'of kind "{request.document_kind}"'
        return Decision(Effect.DENY, rows[0].source, f"this profession has no right to {verb} documents {kind}")

    def _rows(self, request: AccessRequest) -> list[Right]:
        everyone = self._by_profession.get((request.card_type, None), [])
        if request.profession is None:
            return everyone
        return self._by_profession.get((request.card_type, request.profession), []) + everyone
