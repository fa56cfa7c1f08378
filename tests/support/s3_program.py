"""An S3 server on 127.0.0.1: OpenStack Swift with its s3api middleware, all four of its servers in this one process.

Run by the system's Python, for which Debian packages Swift: `python3 s3_program.py DIRECTORY`. It writes its port into
DIRECTORY/port once it answers, and needs a file system with extended attributes.
"""

import io
import json
import sys
from pathlib import Path
from typing import Any

PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = no
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin .reseller_admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

STORAGE = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

DEFAULT = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
log_address = /dev/null
"""

SWIFT = """
[swift-hash]
swift_hash_path_suffix = a
swift_hash_path_prefix = b
[storage-policy:0]
name = one
default = yes
"""


class Cache:
    """Takes the place of memcached. Without one, each request asks for the account and for the bucket first."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._values: dict[str, str] = {}

    def set(self, key: str, value: Any, **_: Any) -> None:
        self._values[key] = json.dumps(value)

    def get(self, key: str, **_: Any) -> Any:
        return json.loads(self._values.get(key, "null"))

    def delete(self, key: str, **_: Any) -> None:
        self._values.pop(key, None)


def main(directory: Path) -> None:
    (directory / "devices" / "d1").mkdir(parents=True)
    (directory / "swift.conf").write_text(SWIFT)
    # Its modules read this file when they are imported.
    from swift.common import utils

    utils.SWIFT_CONF_FILE = str(directory / "swift.conf")
    utils.eventlet_monkey_patch()
    import eventlet
    from eventlet import wsgi
    from swift.common import storage_policy
    from swift.common.middleware import memcache
    from swift.common.ring import RingBuilder
    from swift.common.wsgi import SwiftHttpProtocol, loadapp

    memcache.MemcacheRing = Cache
    storage_policy.reload_storage_policies()
    servers = {}
    for kind in ("account", "container", "object"):
        servers[kind] = eventlet.listen(("127.0.0.1", 0))
        ring = RingBuilder(4, 1, 0)
        address = {"ip": "127.0.0.1", "port": servers[kind].getsockname()[1]}
        ring.add_dev({"id": 0, "region": 1, "zone": 1, "device": "d1", "weight": 1.0, **address})
        ring.rebalance()
        ring.get_ring().save(str(directory / f"{kind}.ring.gz"))
    servers["proxy"] = eventlet.listen(("127.0.0.1", 0))
    for kind, socket in servers.items():
        text = PROXY if kind == "proxy" else STORAGE.format(kind=kind)
        (directory / f"{kind}.conf").write_text(DEFAULT.format(directory=directory) + text)
        app = loadapp(str(directory / f"{kind}.conf"), global_conf={"log_name": kind})
        eventlet.spawn(wsgi.server, socket, app, io.StringIO(), protocol=SwiftHttpProtocol, log_output=False)
    (directory / "port.new").write_text(str(servers["proxy"].getsockname()[1]))
    (directory / "port.new").rename(directory / "port")
    eventlet.sleep(10**6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
