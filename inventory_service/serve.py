"""Run the service: granian in front, one serving process on SQLite."""

from __future__ import annotations

from inventory_service.config import Settings, SettingsError


def serve(settings: Settings) -> None:
    """Serve until told to stop. The application is imported in the serving process only."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    if settings.processes > 1:
        raise SettingsError("processes: only 1 is possible as long as the engine runs inside the serving process")
    if not settings.vault_key_file.exists():
        raise SettingsError(f"{settings.state_dir} is not prepared: run inventory-service init")
    Granian(
        "inventory_service.wsgi:create",
        factory=True,
        address=settings.listen_address,
        port=settings.listen_port,
        interface=Interfaces.WSGI,
        workers=settings.processes,
        blocking_threads=settings.request_threads,
        backpressure=max(128, settings.request_threads * 2),
        ssl_cert=settings.tls_dir / "server.crt" if settings.tls else None,
        ssl_key=settings.tls_dir / "server.key" if settings.tls else None,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=10,
        websockets=False,
        log_level=LogLevels(settings.log_level if settings.log_level != "warning" else "warn"),
    ).serve()
