"""The tree: what is announced, from where, in which order."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cardd.bus import standard as standard_module
from cardd.bus.failures import StandardError, StandardName
from cardd.bus.interface import Interface, Signal, Variant, dbus_property
from cardd.bus.objects import ObjectTree
from cardd.bus.standard import StandardInterfaces
from cardd.bus.syntax import Unsendable

ROOT = "/org/example"


class Sink:
    """Takes the signals down."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, tuple[Any, ...]]] = []
        self.urgent: list[str] = []
        self.alive = True

    def send_signal(
        self, path: str, interface: str, member: str, signature: str, values: Sequence[Any], *, urgent: bool = False
    ) -> bool:
        self.sent.append((path, member, tuple(values)))
        if urgent:
            self.urgent.append(member)
        return self.alive

    def take(self) -> list[tuple[str, str, tuple[Any, ...]]]:
        sent, self.sent = self.sent, []
        return sent


class Lamp(Interface):
    """Something with properties."""

    name = "org.example.Lamp"
    burnt = Signal("s", names=("why",))

    def __init__(self) -> None:
        self.level = 1
        self.fails = False

    @dbus_property("u")
    def brightness(self) -> int:
        """How bright."""
        if self.fails:
            raise RuntimeError("secret")
        return self.level

    @dbus_property("s")
    def colour(self) -> str:
        """Which colour."""
        return "white"

    @dbus_property("ay", emits="invalidates")
    def spectrum(self) -> bytes:
        """Too long to send."""
        return b"..."

    @dbus_property("s", emits="const")
    def maker(self) -> str:
        """Who made it."""
        return "ACME"


class Room(Interface):
    """Something without."""

    name = "org.example.Room"


WHITE = Variant("s", "white")
ALL = {
    "Brightness": Variant("u", 1),
    "Colour": WHITE,
    "Spectrum": Variant("ay", b"..."),
    "Maker": Variant("s", "ACME"),
}


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def tree(sink: Sink) -> ObjectTree:
    return ObjectTree(sink, ROOT)


async def turn() -> None:
    await asyncio.sleep(0)


async def test_objects_are_announced_by_the_manager(tree: ObjectTree, sink: Sink) -> None:
    """dbus-next sends InterfacesAdded from the object's own path, where GDBus does not look."""
    tree.add(ROOT, [Room()])
    tree.add(f"{ROOT}/lamp", [Lamp(), Room()])
    tree.remove(f"{ROOT}/lamp")
    assert sink.take() == [
        (ROOT, "InterfacesAdded", (f"{ROOT}/lamp", {"org.example.Lamp": ALL, "org.example.Room": {}})),
        (ROOT, "InterfacesRemoved", (f"{ROOT}/lamp", ["org.example.Lamp", "org.example.Room"])),
    ]
    assert not tree.interfaces(f"{ROOT}/lamp")
    assert tree.managed() == {}


async def test_more_interfaces_for_an_object(tree: ObjectTree, sink: Sink) -> None:
    tree.add(f"{ROOT}/lamp", [Room()])
    tree.add(f"{ROOT}/lamp", [Lamp()])
    assert sink.take()[1] == (ROOT, "InterfacesAdded", (f"{ROOT}/lamp", {"org.example.Lamp": ALL}))
    assert list(tree.interfaces(f"{ROOT}/lamp")) == ["org.example.Room", "org.example.Lamp"]


@pytest.mark.parametrize("path", ["/elsewhere", f"{ROOT}x", f"{ROOT}/a-b", f"{ROOT}/a\n", f"{ROOT}/"])
async def test_paths_that_are_none_of_the_tree(tree: ObjectTree, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        tree.add(path, [Room()])


async def test_an_interface_twice(tree: ObjectTree) -> None:
    tree.add(f"{ROOT}/lamp", [Lamp()])
    for interfaces in ([], [Lamp()], [Room(), Room()]):
        with pytest.raises(ValueError, match="each once"):
            tree.add(f"{ROOT}/lamp", interfaces)
    with pytest.raises(KeyError):
        tree.remove(f"{ROOT}/room")


async def test_changes_of_one_turn_are_told_together(tree: ObjectTree, sink: Sink) -> None:
    lamp = Lamp()
    tree.add(f"{ROOT}/lamp", [lamp])
    sink.take()
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    lamp.level = 5
    tree.changed(f"{ROOT}/lamp", Lamp, "Spectrum", "Brightness")
    assert not sink.sent
    await turn()
    changed: dict[str, Variant] = {"Brightness": Variant("u", 5)}
    assert sink.take() == [(f"{ROOT}/lamp", "PropertiesChanged", ("org.example.Lamp", changed, ["Spectrum"]))]
    await turn()
    assert not sink.sent


async def test_changes_leave_before_later_signals(tree: ObjectTree, sink: Sink) -> None:
    lamp = Lamp()
    tree.add(f"{ROOT}/lamp", [lamp])
    tree.add(f"{ROOT}/other", [Lamp()])
    sink.take()
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    tree.emit(f"{ROOT}/lamp", Lamp.burnt, "old")
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    tree.remove(f"{ROOT}/other")
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    tree.remove(f"{ROOT}/lamp")
    members = ["PropertiesChanged", "Burnt", "PropertiesChanged", "InterfacesRemoved"]
    assert [member for _, member, _ in sink.take()] == [*members, "PropertiesChanged", "InterfacesRemoved"]
    await turn()
    assert not sink.sent


async def test_urgent_signals_wait_for_nothing(tree: ObjectTree, sink: Sink) -> None:
    tree.add(f"{ROOT}/lamp", [Lamp()])
    sink.take()
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    tree.emit(f"{ROOT}/lamp", Lamp.burnt, "now", urgent=True)
    await turn()
    assert [member for _, member, _ in sink.take()] == ["Burnt", "PropertiesChanged"]
    assert sink.urgent == ["Burnt"]


async def test_a_property_that_fails_hides_no_other(
    tree: ObjectTree, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    """In dbus-next it fails GetAll and GetManagedObjects."""
    lamp = Lamp()
    lamp.fails = True
    rest = {name: value for name, value in ALL.items() if name != "Brightness"}
    tree.add(f"{ROOT}/lamp", [lamp])
    assert sink.take()[0][2][1] == {"org.example.Lamp": rest}
    assert tree.managed() == {f"{ROOT}/lamp": {"org.example.Lamp": rest}}
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness", "Colour")
    await turn()
    told: dict[str, Variant] = {"Colour": WHITE}
    assert sink.take()[0][2] == ("org.example.Lamp", told, ["Brightness"])
    assert "Brightness" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_property_of_the_wrong_type_hides_no_other(tree: ObjectTree, sink: Sink) -> None:
    lamp = Lamp()
    lamp.level = -1
    tree.add(f"{ROOT}/lamp", [lamp])
    assert "Brightness" not in sink.take()[0][2][1]["org.example.Lamp"]


async def test_changes_that_are_none(tree: ObjectTree, sink: Sink) -> None:
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    for name in ("Maker", "Nothing"):
        with pytest.raises(ValueError, match="announces"):
            tree.changed(f"{ROOT}/lamp", Lamp, name)
    await turn()
    assert not sink.sent


async def test_changes_that_cannot_be_sent_harm_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(Sink):
        def send_signal(self, *given: Any, urgent: bool = False) -> bool:
            if given[2] == "PropertiesChanged":
                raise Unsendable("too long")
            return super().send_signal(*given, urgent=urgent)

    sink = Refusing()
    tree = ObjectTree(sink, ROOT)
    tree.add(f"{ROOT}/lamp", [Lamp()])
    tree.changed(f"{ROOT}/lamp", Lamp, "Brightness")
    tree.emit(f"{ROOT}/lamp", Lamp.burnt, "old")
    assert [member for _, member, _ in sink.take()] == ["InterfacesAdded", "Burnt"]
    assert "cannot be told" in caplog.text


async def test_a_lost_bus_is_told(tree: ObjectTree, sink: Sink) -> None:
    """dbus-next swallows the signals in silence."""
    tree.add(f"{ROOT}/lamp", [Lamp()])
    assert tree.emit(f"{ROOT}/lamp", Lamp.burnt, "x")
    sink.alive = False
    assert not tree.emit(f"{ROOT}/lamp", Lamp.burnt, "x")


async def test_children(tree: ObjectTree) -> None:
    tree.add(ROOT, [Room()])
    tree.add(f"{ROOT}/b/two", [Room()])
    tree.add(f"{ROOT}/b/one", [Room()])
    tree.add(f"{ROOT}/a", [Room()])
    assert tree.children("/") == ["org"]
    assert tree.children("/org") == ["example"]
    assert tree.children(ROOT) == ["a", "b"]
    assert tree.children(f"{ROOT}/b") == ["one", "two"]
    assert tree.children(f"{ROOT}/a") == []


def answer(tree: ObjectTree, path: str, member: str, *values: Any, interface: str | None = None) -> list[Any]:
    found = StandardInterfaces(tree).find(path, interface, member)
    assert found is not None
    return found.answer(path, list(values))


async def test_properties_are_read(tree: ObjectTree) -> None:
    tree.add(f"{ROOT}/lamp", [Room(), Lamp()])
    assert answer(tree, f"{ROOT}/lamp", "Get", "org.example.Lamp", "Colour") == [WHITE]
    assert answer(tree, f"{ROOT}/lamp", "Get", "", "Colour") == [WHITE]
    assert answer(tree, f"{ROOT}/lamp", "GetAll", "org.example.Lamp") == [ALL]
    assert answer(tree, f"{ROOT}/lamp", "GetAll", "") == [ALL]
    assert answer(tree, f"{ROOT}/lamp", "GetAll", "org.freedesktop.DBus.Peer") == [{}]


@pytest.mark.parametrize(
    ("member", "values", "name"),
    [
        ("Get", ("org.example.Lamp", "Nothing"), StandardName.UNKNOWN_PROPERTY),
        ("Get", ("org.example.Room", "Colour"), StandardName.UNKNOWN_PROPERTY),
        ("Get", ("org.example.No", "Colour"), StandardName.UNKNOWN_INTERFACE),
        ("GetAll", ("org.example.No",), StandardName.UNKNOWN_INTERFACE),
        ("Set", ("org.example.Lamp", "Colour", WHITE), StandardName.PROPERTY_READ_ONLY),
        ("Set", ("org.example.Lamp", "Nothing", WHITE), StandardName.UNKNOWN_PROPERTY),
        ("Set", ("org.example.No", "Colour", WHITE), StandardName.UNKNOWN_INTERFACE),
    ],
)
async def test_what_properties_refuse(
    tree: ObjectTree, member: str, values: tuple[Any, ...], name: StandardName
) -> None:
    tree.add(f"{ROOT}/lamp", [Room(), Lamp()])
    with pytest.raises(StandardError) as caught:
        answer(tree, f"{ROOT}/lamp", member, *values)
    assert caught.value.name is name


async def test_where_the_standard_interfaces_are(tree: ObjectTree) -> None:
    standard = StandardInterfaces(tree)

    def short(path: str) -> list[str]:
        return [name.rsplit(".", 1)[1] for name in standard.at(path)]

    assert short(ROOT) == ["Peer", "Introspectable", "Properties", "ObjectManager"]
    assert short("/org") == ["Peer"]
    tree.add(f"{ROOT}/lamp", [Lamp()])
    assert short("/nowhere") == ["Peer"]
    assert short("/org") == ["Peer", "Introspectable"]
    assert short(f"{ROOT}/lamp") == ["Peer", "Introspectable", "Properties"]
    tree.add(ROOT, [Room()])
    assert short(ROOT) == ["Peer", "Introspectable", "Properties", "ObjectManager"]


async def test_a_host_without_identity(tree: ObjectTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = (tmp_path / "none", tmp_path / "some")
    monkeypatch.setattr(standard_module, "MACHINE_ID_FILES", files)
    with pytest.raises(StandardError):
        answer(tree, ROOT, "GetMachineId")
    files[1].write_text("0123\n")
    assert answer(tree, ROOT, "GetMachineId") == ["0123"]
