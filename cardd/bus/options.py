"""The `a{sv}` that ends every method that acts: options by name, and a refusal by name for what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cardd.bus import names
from cardd.errors import InvalidArgument, UnknownOption, shown


def no_options(options: Mapping[str, Any]) -> None:
    """For a method that has none.

    Raises:
        UnknownOption: there is one.
    """
    _require_known(options, frozenset())


def interaction_allowed(options: Mapping[str, Any]) -> bool:
    """For a method that may ask the user: False when the caller said no-user-interaction.

    Raises:
        UnknownOption: another option.
        InvalidArgument: the option is no boolean.
    """
    _require_known(options, frozenset((names.OPTION_NO_USER_INTERACTION,)))
    option = options.get(names.OPTION_NO_USER_INTERACTION)
    if option is None:
        return True
    if option.signature != "b":
        raise InvalidArgument(argument=names.OPTION_NO_USER_INTERACTION, reason="it must be a boolean")
    return not option.value


def typed_options(options: Mapping[str, Any], signatures: Mapping[str, str]) -> dict[str, Any]:
    """For a method that has several: the values of those that were given, no-user-interaction left out.

    Args:
        options: as they came.
        signatures: of the known ones, by name.

    Raises:
        UnknownOption: another option.
        InvalidArgument: an option is of another type.
    """
    known = {**signatures, names.OPTION_NO_USER_INTERACTION: "b"}
    _require_known(options, frozenset(known))
    for name, option in options.items():
        if option.signature != known[name]:
            raise InvalidArgument(argument=name, reason=f"its D-Bus type must be {known[name]}")
    return {name: option.value for name, option in options.items() if name in signatures}


def may_ask(options: Mapping[str, Any]) -> bool:
    """Whether the caller lets its user be asked; of options that `typed_options` has passed."""
    option = options.get(names.OPTION_NO_USER_INTERACTION)
    return option is None or not option.value


def _require_known(options: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in options:
        if name not in known:
            raise UnknownOption(option=shown(name))
