"""How interfaces are declared, and which declarations are refused."""

from typing import Any

import pytest

from cardd.access.caller import Caller
from cardd.bus.interface import Call, Emits, Interface, Options, Signal, camel_case, dbus_property, method


class Counter(Interface):
    """An interface as others are written."""

    name = "org.example.Counter"
    limit_reached = Signal("us", names=("count", "why"))

    def __init__(self) -> None:
        self.value = 3

    @method("ua{sv}", "u", out_names=("count",))
    async def add_more(self, call: Call, amount: int, options: Options) -> int:
        """Count."""
        self.value += amount
        return self.value

    @method(name="RESET")
    async def reset(self, call: Call) -> None:
        """Begin again."""
        self.value = 0

    @dbus_property("u")
    def count(self) -> int:
        """How many."""
        return self.value

    @dbus_property("s", emits="const", name="ID")
    def identity(self) -> str:
        """Which one."""
        return "one"


def test_methods_are_declared() -> None:
    declared = Counter.declaration.methods["AddMore"]
    assert (declared.takes, declared.returns, declared.attribute) == ("ua{sv}", "u", "add_more")
    assert [argument.name for argument in declared.inputs] == ["amount", "options"]
    assert [argument.name for argument in declared.outputs] == ["count"]
    assert list(Counter.declaration.methods) == ["AddMore", "RESET"]


def test_properties_are_declared_and_read_as_attributes() -> None:
    counter = Counter()
    assert counter.count == 3
    declared = Counter.declaration.properties
    assert (declared["Count"].signature, declared["Count"].emits) == ("u", Emits.TRUE)
    assert (declared["ID"].attribute, declared["ID"].emits) == ("identity", Emits.CONST)


def test_signals_are_declared() -> None:
    declared = Counter.limit_reached
    assert (declared.interface, declared.name, declared.signature) == ("org.example.Counter", "LimitReached", "us")
    assert Counter.declaration.signals == {"LimitReached": declared}


async def test_a_method_stays_callable() -> None:
    call = Call(":1.1", Caller(":1.1", 0), "/", Counter.name, "AddMore")
    assert await Counter().add_more(call, 4, {}) == 7


def test_camel_case() -> None:
    assert camel_case("pin_tries_left") == "PinTriesLeft"
    assert camel_case("usb_ids") == "UsbIds"


def test_a_synchronous_handler_is_refused() -> None:
    """In dbus-next such a one holds up every other call."""
    with pytest.raises(TypeError, match="coroutine"):

        @method()  # type: ignore[arg-type]  # the mistake that is refused
        def blocking(self: Any, call: Call) -> None:
            """Block."""


def test_an_asynchronous_getter_is_refused() -> None:
    with pytest.raises(TypeError, match="synchronous"):

        @dbus_property("s")
        async def slow(self: Interface) -> str:
            """Wait."""
            return ""


def test_signatures_and_parameters_must_fit() -> None:
    with pytest.raises(ValueError, match="parameters"):

        @method("ss")
        async def one(self: Interface, call: Call, only: str) -> None:
            """Take one."""

    with pytest.raises(ValueError, match="names"):

        @method("", "ss", out_names=("one",))
        async def two(self: Interface, call: Call) -> tuple[str, str]:
            """Return two."""
            return "", ""

    with pytest.raises(ValueError, match="no valid signature"):

        @method("a")
        async def broken(self: Interface, call: Call, value: str) -> None:
            """Take nonsense."""

    with pytest.raises(ValueError, match="one complete type"):

        @dbus_property("ss")
        def both(self: Interface) -> str:
            """Give two."""
            return ""

    with pytest.raises(ValueError, match="names"):
        Signal("s")


def test_names_must_be_valid_and_unique() -> None:
    with pytest.raises(ValueError, match="interface name"):
        type("Nameless", (Interface,), {"name": "Nameless"})
    with pytest.raises(ValueError, match="two members"):

        class Twice(Interface):
            name = "org.example.Twice"

            @dbus_property("s", name="X")
            def one(self) -> str:
                """One."""
                return ""

            @dbus_property("s", name="X")
            def other(self) -> str:
                """Other."""
                return ""

    with pytest.raises(ValueError, match="member name"):

        @method(name="not a name")
        async def unnamed(self: Interface, call: Call) -> None:
            """Do nothing."""
