"""Build hook: compile the gettext catalogues (.po) that the wheel and an editable install carry as .mo."""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileCatalogues(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's configuration parameter is of no use here
    """Compile each ``cardd/locale/*/LC_MESSAGES/*.po`` beside itself."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the .mo files before the wheel (standard or editable) is put together."""
        for source in sorted(Path(self.root, "cardd", "locale").glob("*/LC_MESSAGES/*.po")):
            with source.open("rb") as reading:
                catalogue = read_po(reading)
            with source.with_suffix(".mo").open("wb") as writing:
                write_mo(writing, catalogue)
