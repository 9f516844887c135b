"""D-Bus: transport, dispatch, names, and one thin file an interface; only this package imports dbus_next."""
