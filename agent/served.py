"""Whether Ollama serves the current junior, asked with nothing the daemon would have to load."""

import http.client
import json
from urllib.parse import urlsplit

from agent.config import Config
from distill.ollama import server_address
from memory.db import open_database
from memory.errors import PublishError

SECONDS = 2.0


def is_served(config: Config) -> bool:
    """False only where a server answers and a `latest` of ours is not the current generation.

    Without a server, with publish.ollama off, and before the first release there is nothing to
    mend.
    """
    if config.publish.ollama == "off":
        return True
    with open_database(config.database_path) as db:
        row = db.execute(
            "select tag, digest, rewrite_digest from generations"
            " where id = (select value from state where key = 'current_generation')"
        ).fetchone()
    tags = _tags(config.publish.host) if row else None
    if tags is None:
        return True
    tag, digest, rewrites = row
    name, _, night = tag.partition(":")
    wanted = {tag: digest, f"{config.publish.name}:latest": digest}
    if rewrites:
        second = (f"{name}-rewrite:{night}", f"{config.publish.name}-rewrite:latest")
        wanted |= dict.fromkeys(second, rewrites)
    return all(tags.get(one, "") == digest != "" for one, digest in wanted.items())


def _tags(host: str) -> dict[str, str] | None:
    """{name: digest} of /api/tags; None where no server answers as one."""
    try:
        address = urlsplit(server_address(host))
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address.hostname, address.port, timeout=SECONDS)
        connection.request("GET", "/api/tags")
        rows = json.loads(connection.getresponse().read())["models"] or []
        connection.close()
        return {row["name"]: row["digest"] for row in rows}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, PublishError):
        return None
