"""File trees with other numbers than their layout's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cardsim.ias_ecc.files import DedicatedFile, ElementaryFile
from cardsim.ias_ecc.sdo import SdoClass, SdoName
from cardsim.layouts import cps3, cps3_easy
from cardsim.layouts.build import master_file
from cardsim.layouts.content import CardContent
from cardsim.layouts.layout import Layout
from cardsim.layouts.numbers import KeyReferenceForm, Numbers

LAYOUTS = (cps3.LAYOUT, cps3_easy.LAYOUT)


def file(root: DedicatedFile, *path: int) -> str:
    """Content of an EF, hexadecimal."""
    found = root.by_path(list(path))
    assert isinstance(found, ElementaryFile)
    return found.content.hex().upper()


def built(layout: Layout, content: CardContent, **numbers: object) -> tuple[DedicatedFile, Numbers]:
    """A card with some numbers changed."""
    changed = replace(layout.numbers, **numbers)  # type: ignore[arg-type]  # tests name fields
    return master_file(layout, content, changed), changed


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_the_directories_lead_to_the_files(layout: Layout, content: CardContent) -> None:
    """EF.DIR to the DF, the ODF to the directories, they to the certificates."""
    root, numbers = built(
        layout, content, application=0x0A01, key_directory=0x7102, signature_certificate=0xB001, pin_directory=0x7101
    )
    assert "51043F000A01" in file(root, 0x2F00)
    for fid in ("7101", "7102"):
        assert fid in file(root, 0x0A01, 0x5031)
    assert "B001" in file(root, 0x0A01, numbers.certificate_directory)
    assert file(root, 0x0A01, 0xB001) == content.signature.certificate.hex().upper()
    assert root.by_path([0x0001]) is None
    assert root.by_path([0x0A01, layout.numbers.key_directory]) is None


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize(
    ("form", "references"),
    [(KeyReferenceForm.TWO_BYTES, ("02020093", "02020087")), (KeyReferenceForm.NEGATIVE, ("020193", "020187"))],
)
def test_key_references(
    layout: Layout, content: CardContent, form: KeyReferenceForm, references: tuple[str, str]
) -> None:
    """In either form; and the objects have the numbers."""
    root, numbers = built(layout, content, signature_key=0x13, authentication_key=0x07, key_references=form)
    directory = file(root, numbers.application, numbers.key_directory)
    assert all(each in directory for each in references)
    application = root.by_path([numbers.application])
    assert isinstance(application, DedicatedFile)
    assert {SdoName(SdoClass.RSA_PRIVATE, 0x13), SdoName(SdoClass.RSA_PRIVATE, 0x07)} == set(application.objects)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_pin_references(layout: Layout, content: CardContent) -> None:
    """The directory, the objects, and the environments that rules name by."""
    root, numbers = built(layout, content, pin=0x03, puk=0x04)
    directory = file(root, numbers.application, numbers.pin_directory)
    assert "800103" in directory
    assert "800104" in directory
    assert {SdoName(SdoClass.PIN, 3), SdoName(SdoClass.PIN, 4)} <= set(root.objects)
    environment = root.objects[SdoName(SdoClass.SECURITY_ENVIRONMENT, 1)].part(0x7B)
    assert environment is not None
    assert environment.hex().upper() == "7B08A406950108830103"
